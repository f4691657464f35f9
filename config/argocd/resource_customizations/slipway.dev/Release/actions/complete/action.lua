-- Makes the Live version the stable one and ends the former servers, for good.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  error("cannot complete: Slipway has not seen the last edit yet", 0)
end
if status.effectivePhaseReason == "Override" then
  error("cannot complete: " .. status.effectivePhaseMessage .. "; run the action release first", 0)
end
local allowed, promoted = false, false
for _, phase in ipairs(status.allowedPhases or {}) do
  allowed = allowed or phase == "Complete"
end
for _, condition in ipairs(status.conditions or {}) do
  promoted = promoted or (condition.type == "Promoted" and condition.status == "True")
end
if not allowed or not promoted then
  error("cannot complete " .. obj.spec.version .. ", which is not Live: " .. (status.message or ""), 0)
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" and condition.reason == "Unhealthy" then
    error("cannot complete: production is not healthy, and this ends the way back. " .. (condition.message or ""), 0)
  end
end
obj.spec.phase = "Complete"
obj.spec.phaseFor = obj.spec.version
return obj
