package localaws

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// boolValue and textValue are attributes on the wire.
type boolValue struct {
	Value bool `xml:"value"`
}

type textValue struct {
	Value string `xml:"value"`
}

type attributeXML struct {
	ID        string     `xml:"instanceId"`
	Terminate *boolValue `xml:"disableApiTermination"`
	Stop      *boolValue `xml:"disableApiStop"`
	Behavior  *textValue `xml:"instanceInitiatedShutdownBehavior"`
	UserData  *textValue `xml:"userData"`
	Type      *textValue `xml:"instanceType"`
}

var describeInstanceAttribute = operation{
	params: []string{"DryRun:bool", "InstanceId!", "Attribute!"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		found, err := q.visibleInstances([]string{q.str("InstanceId")})
		if err != nil {
			return nil, err
		}
		in := found[0]
		x := attributeXML{ID: in.id}
		switch q.str("Attribute") {
		case "disableApiTermination":
			x.Terminate = &boolValue{in.protectTerminate}
		case "disableApiStop":
			x.Stop = &boolValue{in.protectStop}
		case "instanceInitiatedShutdownBehavior":
			x.Behavior = &textValue{in.shutdownBehavior}
		case "userData":
			x.UserData = &textValue{base64.StdEncoding.EncodeToString(in.userData)}
		case "instanceType":
			x.Type = &textValue{in.instanceType}
		default:
			return nil, unknownAttribute(q.str("Attribute"))
		}
		return x, nil
	},
}

// attributeNames maps both spellings of a change (Name.Value, or Attribute and Value) to the attribute.
var attributeNames = []string{"DisableApiTermination", "DisableApiStop", "InstanceInitiatedShutdownBehavior"}

// modifyInstanceAttribute changes one attribute a call (SDK documentation of ModifyInstanceAttribute).
var modifyInstanceAttribute = operation{
	params: []string{"DryRun:bool", "InstanceId!", "Attribute", "Value", "DisableApiTermination.Value:bool", "DisableApiStop.Value:bool",
		"InstanceInitiatedShutdownBehavior.Value"},
	mutates: true,
	run: func(_ *Cloud, q *call) (any, *apiError) {
		found, err := q.mutableInstances([]string{q.str("InstanceId")})
		if err != nil {
			return nil, err
		}
		in := found[0]
		name, value, err := q.oneAttribute()
		if err != nil {
			return nil, err
		}
		apply, err := in.attributeChange(name, value)
		if err != nil {
			return nil, err
		}
		if in.state == stateShuttingDown || in.state == stateTerminated {
			return nil, refuse("IncorrectInstanceState", "Instance '%s' is in state '%s' and cannot be modified.", in.id, in.state)
		}
		if err := q.dryRun(); err != nil {
			return nil, err
		}
		apply()
		q.effect("set %s of %s to %s", name, in.id, value)
		return returned{true}, nil
	},
}

// oneAttribute is the attribute that the call changes, and its new value.
func (q *call) oneAttribute() (name, value string, err *apiError) {
	given := 0
	for _, n := range attributeNames {
		if q.has(n + ".Value") {
			name, value = n, q.str(n+".Value")
			given++
		}
	}
	if q.has("Value") && !q.has("Attribute") {
		return "", "", refuse("InvalidParameterCombination", "The parameter Value is that of the parameter Attribute, which is missing")
	}
	if q.has("Attribute") {
		name, value = q.str("Attribute"), q.str("Value")
		given++
	}
	switch {
	case given > 1:
		return "", "", refuse("InvalidParameterCombination", "Fields for multiple attribute types specified")
	case given == 0:
		return "", "", refuse("InvalidParameterCombination", "No attributes specified.")
	}
	return name, value, nil
}

// attributeChange checks a change and returns it, to be done later.
func (in *instance) attributeChange(name, value string) (func(), *apiError) {
	on, notBool := strconv.ParseBool(value)
	for _, flag := range []struct {
		name string
		at   *bool
	}{{"DisableApiTermination", &in.protectTerminate}, {"DisableApiStop", &in.protectStop}} {
		if !strings.EqualFold(name, flag.name) {
			continue
		}
		if notBool != nil {
			return nil, refuse("InvalidParameterValue", "Value (%s) for parameter value is invalid. Expected: bool.", value)
		}
		return func() { *flag.at = on }, nil
	}
	if !strings.EqualFold(name, "InstanceInitiatedShutdownBehavior") {
		return nil, unknownAttribute(name)
	}
	if value != "stop" && value != "terminate" {
		return nil, refuse("InvalidParameterValue", "Value (%s) for parameter instanceInitiatedShutdownBehavior is invalid.", value)
	}
	return func() { in.shutdownBehavior = value }, nil
}

// moreAttributes are those of the model's InstanceAttributeName that are not simulated, or cannot be changed here.
var moreAttributes = strings.Fields("instanceType kernel ramdisk userData rootDeviceName blockDeviceMapping productCodes sourceDestCheck groupSet " +
	"ebsOptimized sriovNetSupport enaSupport enclaveOptions")

// unknownAttribute tells what AWS has and we have not from what nobody has.
func unknownAttribute(name string) *apiError {
	if slices.Contains(moreAttributes, name) {
		return refuse("InvalidParameterValue", "The attribute %s is not simulated here for this call.", name)
	}
	return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.", name)
}
