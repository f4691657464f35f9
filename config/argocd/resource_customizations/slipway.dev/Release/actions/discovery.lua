-- What may be done now, from status.allowedPhases. Argo CD has no field for the reason of a disabled action, so that its name says it.
-- No library but os is used: in argocd-cm there is neither string nor math.
local os = require("os")

local spec, status = obj.spec, obj.status or {}
local version = spec.version
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local allowed = {}
for _, phase in ipairs(status.allowedPhases or {}) do
  allowed[phase] = true
end
local stable = status.stable and status.stable.version or nil
local candidate = status.candidate
local seen = status.observedGeneration == obj.metadata.generation
local now = os.date("!%Y-%m-%dT%H:%M:%SZ")
local override = spec.override
local expired = override ~= nil and override.expiresAt <= now
local held = override ~= nil and not expired and candidate ~= nil and override.revision == candidate.revision

-- The field manager of Argo CD or Flux that has spec.phase, where it is in Git.
local function keeper()
  local tools = {["argocd-controller"] = true, ["argocd-application-controller"] = true, ["kustomize-controller"] = true,
    ["helm-controller"] = true, ["flux-operator"] = true}
  for _, entry in ipairs(obj.metadata.managedFields or {}) do
    local fields = entry.fieldsV1 and entry.fieldsV1["f:spec"]
    if tools[entry.manager] and entry.subresource == nil and fields ~= nil and fields["f:phase"] ~= nil then
      return entry.manager
    end
  end
end
local inGit = keeper()

local actions = {}

-- offer adds an action: disabled with a reason, or with what it does.
local function offer(name, icon, what, reason)
  local title = what
  if reason ~= nil then
    title = what .. ": not now, " .. reason
  end
  actions[name] = {disabled = reason ~= nil, displayName = title, iconClass = "fa fa-fw " .. icon}
end

-- asked: spec.phase says so already, and is meant for this version.
local function asked(phase)
  return spec.phase == phase and (spec.phaseFor == nil or spec.phaseFor == version)
end

-- commit is what is to be done where self-heal undoes an action.
local function commit(phase)
  if inGit == nil then
    return ""
  end
  return " (" .. inGit .. " has the phase from Git and undoes this: commit phase: " .. phase .. ")"
end

local function notPromoted()
  if not seen then
    return "Slipway has not seen the last edit yet"
  elseif held then
    return "spec.override holds it until " .. override.expiresAt .. ": release it first"
  elseif asked("Live") and allowed["Live"] then
    return "that is what spec.phase says"
  elseif status.effectivePhaseReason == "Verdict" then
    return "this version failed: retry, or deploy another one"
  elseif not allowed["Live"] and candidate == nil and stable ~= nil then
    return stable .. " is complete, and nothing is being deployed"
  elseif not allowed["Live"] then
    return "this phase is not allowed"
  end
end
offer("promote", "fa-arrow-up", "Promote " .. version .. commit("Live"), notPromoted())

-- A rollback waits for nothing: the last that was seen is enough.
local function notRolledBack()
  if asked("RolledBack") and not (held and override.phase ~= "RolledBack") then
    return "that is what spec.phase says"
  elseif not allowed["RolledBack"] then
    return "there is no fleet to go back to"
  end
end
local back = "Roll back"
if stable ~= nil and candidate ~= nil then
  back = "Roll back to " .. stable
end
if inGit ~= nil then
  back = back .. " (" .. inGit .. " has the phase from Git and undoes this: use hold, or commit phase: RolledBack)"
end
offer("rollback", "fa-undo", back, notRolledBack())

local function notCompleted()
  local promoted = conditions["Promoted"]
  if not seen then
    return "Slipway has not seen the last edit yet"
  elseif held then
    return "spec.override holds it until " .. override.expiresAt .. ": release it first"
  elseif asked("Complete") then
    return "that is what spec.phase says"
  elseif not allowed["Complete"] or promoted == nil or promoted.status ~= "True" then
    return version .. " is not Live: promote it first"
  elseif conditions["Ready"] ~= nil and conditions["Ready"].reason == "Unhealthy" then
    return "production is not healthy, and this ends the way back"
  elseif candidate == nil and status.stage == "Settled" and conditions["Ready"].status == "True" then
    return version .. " is complete"
  end
end
local final = "Complete " .. version
if stable ~= nil and candidate ~= nil then
  final = final .. ", which ends the servers of " .. stable .. " for good"
end
offer("complete", "fa-check", final .. commit("Complete"), notCompleted())

local function notRetried()
  local stalled = conditions["Stalled"]
  local waits = {PromotionFailed = true, AutoRolledBack = true, LaunchFailed = true, Defect = true}
  if status.effectivePhaseReason == "Verdict" then
    return nil
  elseif stalled == nil or stalled.status ~= "True" then
    return "nothing failed"
  elseif stalled.reason == "PromotionFailed" and stable == nil then
    return "it goes Live by itself once its servers are healthy"
  elseif not waits[stalled.reason] then
    return stalled.reason .. " is tried again by itself"
  end
end
offer("retry", "fa-redo", "Try again", notRetried())

local function notHeld()
  if obj.metadata.deletionTimestamp ~= nil then
    return "it is being deleted"
  elseif held then
    return "it is held until " .. override.expiresAt
  elseif candidate == nil then
    return "nothing is being deployed"
  elseif stable == nil then
    return "there is no stable version for production to stay with"
  elseif not seen then
    return "Slipway has not seen the last edit yet"
  elseif candidate.version ~= version then
    return version .. " is not recorded yet, and this would take " .. candidate.version .. " back: set paused: true, or commit another version"
  end
end
local hold = "Hold"
if stable ~= nil and candidate ~= nil then
  hold = "Hold production at " .. stable .. ", whatever Git says, for 4 hours or as said"
end
offer("hold", "fa-hand-paper", hold, notHeld())
actions["hold"].params = {{name = "reason"}, {name = "by"}, {name = "hours"}}

local function notReleased()
  if override == nil then
    return "nothing is held"
  end
end
local release = "Release"
if override ~= nil then
  release = "Release, so that spec.phase counts again"
end
offer("release", "fa-hand-point-up", release, notReleased())

return actions
