-- A Release follows kstatus: Ready, Reconciling and Stalled with observedGeneration. What waits for a person is Suspended, unless
-- the annotation slipway.dev/argocd-preview-health: Healthy says that tests are to run then (PostSync, later waves).
-- No library is used: in argocd-cm there is neither string nor math.

local function health(status, message)
  return {status = status, message = message}
end

local status = obj.status
if status == nil or status.observedGeneration == nil or status.conditions == nil then
  return health("Progressing", "Slipway has not looked at this Release yet; if that stays so, is its controller running?")
end
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Slipway has not seen the last edit yet; it was: " .. (status.message or ""))
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end
local function is(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end
local function allowed(phase)
  for _, one in ipairs(status.allowedPhases or {}) do
    if one == phase then
      return true
    end
  end
  return false
end

local message = status.message or ""
local held = status.effectivePhaseReason == "Override"
if held then
  message = "Held: " .. (status.effectivePhaseMessage or "") .. " (the action release ends it). " .. message
end

-- Terminal until somebody changes something.
if is("Stalled") then
  local stalled = conditions["Stalled"]
  local again = {PromotionFailed = true, AutoRolledBack = true, LaunchFailed = true, Defect = true}
  message = stalled.reason .. ": " .. message
  -- The first version is late: there is no other to put in its place, and nothing to clear.
  if stalled.reason == "PromotionFailed" and status.stable == nil then
    message = message .. ". It goes Live by itself once its servers are healthy"
  elseif again[stalled.reason] or status.effectivePhaseReason == "Verdict" then
    message = message .. ". In Argo CD: action retry"
  end
  return health("Degraded", message)
end

-- The next step is a person's.
if is("AwaitingDecision") then
  local reason = conditions["AwaitingDecision"].reason
  if reason == "Paused" then
    return health("Suspended", message)
  end
  if not held and allowed("Live") then
    message = message .. ". In Argo CD: action promote; with the phase in Git: commit phase: Live and phaseFor: \"" .. obj.spec.version .. "\""
  end
  local annotations = obj.metadata.annotations or {}
  if annotations["slipway.dev/argocd-preview-health"] == "Healthy" then
    return health("Healthy", message)
  end
  return health("Suspended", message)
end

if is("Ready") then
  if not held and conditions["Ready"].reason == "Live" then
    if allowed("RolledBack") then
      message = message .. ". In Argo CD: action rollback or complete"
    elseif allowed("Complete") then
      message = message .. ". In Argo CD: action complete"
    end
  end
  return health("Healthy", message)
end

return health("Progressing", message)
