-- Clears what was found against this version, and launches again after failed launches.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["slipway.dev/retry"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
