-- Ends a hold: spec.phase counts again.
if obj.spec.override == nil then
  error("nothing is held: there is no spec.override", 0)
end
obj.spec.override = nil
return obj
