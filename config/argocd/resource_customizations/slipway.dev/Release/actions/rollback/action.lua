-- Gives production back to the stable fleet. It waits for nothing that was not seen yet, and an override that says otherwise goes.
local status = obj.status or {}
local allowed = false
for _, phase in ipairs(status.allowedPhases or {}) do
  allowed = allowed or phase == "RolledBack"
end
if not allowed then
  error("cannot roll back: there is no fleet to go back to. " .. (status.message or ""), 0)
end
obj.spec.phase = "RolledBack"
obj.spec.phaseFor = obj.spec.version
if obj.spec.override ~= nil and obj.spec.override.phase ~= "RolledBack" then
  obj.spec.override = nil
end
return obj
