-- Sends the declared version into production: phase and phaseFor together, so that the next version stops at Preview.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  error("cannot promote: Slipway has not seen the last edit yet", 0)
end
if status.effectivePhaseReason == "Override" then
  error("cannot promote: " .. status.effectivePhaseMessage .. "; run the action release first", 0)
end
local allowed = false
for _, phase in ipairs(status.allowedPhases or {}) do
  allowed = allowed or phase == "Live"
end
if not allowed then
  error("cannot promote " .. obj.spec.version .. " now: " .. (status.message or ""), 0)
end
obj.spec.phase = "Live"
obj.spec.phaseFor = obj.spec.version
return obj
