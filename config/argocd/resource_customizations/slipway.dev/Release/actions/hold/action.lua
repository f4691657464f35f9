-- Keeps the stable version in production, or puts it back there, whatever Git says: by spec.override, which is in no manifest. It
-- ends by itself, with the next version, and with the action release.
local os = require("os")
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  error("cannot hold: Slipway has not seen the last edit yet, so the version to hold is not known", 0)
end
if obj.metadata.deletionTimestamp ~= nil or status.candidate == nil or status.stable == nil then
  error("cannot hold: nothing is being deployed beside a stable version. " .. (status.message or ""), 0)
end
if status.candidate.version ~= obj.spec.version then
  error("cannot hold: version " .. obj.spec.version .. " is declared and not recorded yet, and this would take " .. status.candidate.version ..
    " back, and hold nothing of " .. obj.spec.version .. ": set paused: true, or commit another version", 0)
end

local given = actionParams or {}
local hours = 4
if given["hours"] ~= nil and given["hours"] ~= "" then
  hours = tonumber(given["hours"])
end
if hours == nil or hours <= 0 or hours > 167 then
  error("cannot hold for " .. given["hours"] .. " hours: more than 0 and at most 167", 0)
end

-- The fields of UTC are read as if they were local time: os.date writes local time where it is given one, also after "!".
local now = os.time()
local shift = os.time(os.date("!*t")) - now
local phase = "RolledBack"
if status.stage == "Preview" or status.stage == "Preparing" then
  phase = "Preview"
end
local reason, by = "held in Argo CD", "Argo CD"
if given["reason"] ~= nil and given["reason"] ~= "" then
  reason = given["reason"]
end
if given["by"] ~= nil and given["by"] ~= "" then
  by = given["by"]
end
obj.spec.override = {
  revision = status.candidate.revision,
  phase = phase,
  reason = reason,
  by = by,
  expiresAt = os.date("%Y-%m-%dT%H:%M:%SZ", now + shift + hours * 3600),
}
return obj
