package localaws

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// The states of an alarm.
const (
	alarmOK      = "OK"
	alarmAlarm   = "ALARM"
	alarmNoData  = "INSUFFICIENT_DATA"
	maxAlarms    = 100 // names in a call, and alarms on a page
	maxAlarmName = 255
)

// alarm is one metric alarm. Metrics are not simulated: its state changes by SetAlarmState alone. Actions are not either, and
// refused, because nobody would be told. Guarded by Cloud.mu.
type alarm struct {
	name     string
	settings alarmSettings
	state    string
	reason   string
	data     string
	changed  time.Time // its settings
	updated  time.Time // its state was set
	since    time.Time // its state became another
}

type alarmDimension struct{ Name, Value string }

// alarmSettings are what PutMetricAlarm sets, as DescribeAlarms shows it.
type alarmSettings struct {
	AlarmDescription   string `xml:",omitempty"`
	ActionsEnabled     bool
	MetricName         string                  `xml:",omitempty"`
	Namespace          string                  `xml:",omitempty"`
	Statistic          string                  `xml:",omitempty"`
	ExtendedStatistic  string                  `xml:",omitempty"`
	Dimensions         members[alarmDimension] // in the order of the call
	Period             int                     `xml:",omitempty"`
	Unit               string                  `xml:",omitempty"`
	EvaluationPeriods  int
	DatapointsToAlarm  int `xml:",omitempty"`
	Threshold          float64
	ComparisonOperator string
	TreatMissingData   string `xml:",omitempty"`
}

func cloudWatchOperations() map[string]operation {
	return map[string]operation{
		"PutMetricAlarm": writing(putMetricAlarm, "AlarmName!", "AlarmDescription", "ActionsEnabled:bool", "MetricName", "Namespace", "Statistic",
			"ExtendedStatistic", "Dimensions.member.N.Name", "Dimensions.member.N.Value", "Period:int", "Unit", "EvaluationPeriods:int!",
			"DatapointsToAlarm:int", "Threshold:float", "ComparisonOperator!", "TreatMissingData"),
		"SetAlarmState": writing(setAlarmState, "AlarmName!", "StateValue!", "StateReason!", "StateReasonData"),
		"DeleteAlarms":  writing(deleteAlarms, "AlarmNames.member.N!"),
		"DescribeAlarms": reading(describeAlarms, "AlarmNames.member.N", "AlarmNamePrefix", "AlarmTypes.member.N", "StateValue", "MaxRecords:int",
			"NextToken"),
	}
}

// oneOfMany refuses a value that is not in AWS's list.
func oneOfMany(name, value string, allowed ...string) *apiError {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return refuse("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: "+
		"Member must satisfy enum value set: [%s]", value, name, strings.Join(allowed, ", "))
}

func putMetricAlarm(_ *Cloud, q *call) (any, *apiError) {
	name := q.str("AlarmName")
	s := alarmSettings{AlarmDescription: q.str("AlarmDescription"), ActionsEnabled: q.bool("ActionsEnabled", true), MetricName: q.str("MetricName"),
		Namespace: q.str("Namespace"), Statistic: q.str("Statistic"), ExtendedStatistic: q.str("ExtendedStatistic"), Period: q.int("Period", 0),
		Unit: q.str("Unit"), EvaluationPeriods: q.int("EvaluationPeriods", 0), DatapointsToAlarm: q.int("DatapointsToAlarm", 0),
		Threshold: q.float("Threshold"), ComparisonOperator: q.str("ComparisonOperator"), TreatMissingData: q.str("TreatMissingData")}
	for _, d := range q.structs("Dimensions") {
		if !d.has("Name") || !d.has("Value") {
			return nil, q.service.protocol.missingParameter("dimensions.member")
		}
		s.Dimensions.Members = append(s.Dimensions.Members, alarmDimension{d.str("Name"), d.str("Value")})
	}
	if err := s.validate(q, name); err != nil {
		return nil, err
	}
	a := q.realm.alarms[name]
	if a == nil {
		a = &alarm{name: name, state: alarmNoData, reason: "Unchecked: Initial alarm creation", updated: q.at, since: q.at}
		q.realm.alarms[name] = a
	}
	a.settings, a.changed = s, q.at
	q.effect("the alarm %s", name)
	return nil, nil
}

// validate checks what the API reference of PutMetricAlarm demands.
func (s alarmSettings) validate(q *call, name string) *apiError {
	operators := []string{"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"}
	switch {
	case name == "" || len(name) > maxAlarmName:
		return refuse("ValidationError", "The alarm name must have 1 to %d characters", maxAlarmName)
	case s.MetricName == "" || s.Namespace == "":
		return refuse("MissingParameter", "The parameters MetricName and Namespace must be specified; metric math is not simulated here")
	case (s.Statistic == "") == (s.ExtendedStatistic == ""):
		return refuse("InvalidParameterCombination", "Exactly one of Statistic and ExtendedStatistic must be specified")
	case !q.has("Threshold"):
		return refuse("MissingParameter", "The parameter Threshold must be specified")
	}
	return firstError(s.validatePeriods(q), s.validateMetric(), oneOfMany("unit", s.Unit, alarmUnits...),
		oneOfMany("comparisonOperator", s.ComparisonOperator, operators...),
		oneOfMany("statistic", s.Statistic, "SampleCount", "Average", "Sum", "Minimum", "Maximum"),
		oneOfMany("treatMissingData", s.TreatMissingData, "breaching", "notBreaching", "ignore", "missing"))
}

func (s alarmSettings) validatePeriods(q *call) *apiError {
	if s.Period != 10 && s.Period != 30 && (s.Period < 60 || s.Period%60 != 0) {
		return refuse("InvalidParameterValue", "Period must be 10, 30 or a multiple of 60")
	}
	if s.EvaluationPeriods < 1 || s.DatapointsToAlarm > s.EvaluationPeriods {
		return refuse("InvalidParameterValue", "EvaluationPeriods must be at least 1 and not less than DatapointsToAlarm")
	}
	if q.has("DatapointsToAlarm") && s.DatapointsToAlarm < 1 {
		return refuse("InvalidParameterValue", "DatapointsToAlarm must be at least 1")
	}
	return nil
}

func setAlarmState(c *Cloud, q *call) (any, *apiError) {
	a := q.realm.alarms[q.str("AlarmName")]
	if a == nil {
		return nil, noAlarm()
	}
	state := q.str("StateValue")
	if err := oneOfMany("stateValue", state, alarmNoData, alarmAlarm, alarmOK); err != nil {
		return nil, err
	}
	if len(q.str("StateReason")) > maxStateReason || len(q.str("StateReasonData")) > maxStateReasonData {
		return nil, refuse("ValidationError", "StateReason has at most %d characters, and StateReasonData %d", maxStateReason, maxStateReasonData)
	}
	if state != a.state {
		c.recordChange(q.realm, "alarm", a.name, a.state, state, q.str("StateReason"))
		a.since = q.at
	}
	a.state, a.reason, a.data, a.updated = state, q.str("StateReason"), q.str("StateReasonData"), q.at
	q.effect("the alarm %s is %s", a.name, state)
	return nil, nil
}

func noAlarm() *apiError { return refuseWith(404, "ResourceNotFound", "Unknown alarm") }

// deleteAlarms deletes none if one does not exist.
func deleteAlarms(_ *Cloud, q *call) (any, *apiError) {
	names := q.list("AlarmNames")
	if len(names) > maxAlarms {
		return nil, refuse("ValidationError", "At most %d alarms can be deleted in one call", maxAlarms)
	}
	for _, name := range names {
		if q.realm.alarms[name] == nil {
			return nil, noAlarm()
		}
	}
	for _, name := range names {
		delete(q.realm.alarms, name)
	}
	q.effect("deleted the alarms %s", strings.Join(names, ", "))
	return nil, nil
}

// alarmOnWire is one alarm of DescribeAlarms.
type alarmOnWire struct {
	AlarmName                          string
	AlarmArn                           string
	AlarmConfigurationUpdatedTimestamp instant
	OKActions                          members[string]
	AlarmActions                       members[string]
	InsufficientDataActions            members[string]
	StateValue                         string
	StateReason                        string
	StateReasonData                    string `xml:",omitempty"`
	StateUpdatedTimestamp              instant
	StateTransitionedTimestamp         instant
	alarmSettings
}

type alarmsOnWire struct {
	MetricAlarms    members[alarmOnWire]
	CompositeAlarms members[struct{}]
	NextToken       string `xml:",omitempty"`
}

// describeAlarms leaves out alarms that do not exist. Only metric alarms are answered unless AlarmTypes says otherwise;
// composite and log alarms are not simulated, so that there are none.
func describeAlarms(_ *Cloud, q *call) (any, *apiError) {
	if err := q.checkAlarmQuery(); err != nil {
		return nil, err
	}
	after, err := q.after()
	if err != nil {
		return nil, refuse("InvalidNextToken", "The next token is not valid")
	}
	out := alarmsOnWire{}
	for _, a := range q.wantedAlarms() {
		if after != "" && a.name <= after {
			continue
		}
		if size := q.int("MaxRecords", maxAlarms); len(out.MetricAlarms.Members) == size {
			out.NextToken = q.nextToken(out.MetricAlarms.Members[size-1].AlarmName)
			break
		}
		out.MetricAlarms.Members = append(out.MetricAlarms.Members, a.onWire(q.realm))
	}
	return out, nil
}

// wantedAlarms are those that the call asks for, by name.
func (q *call) wantedAlarms() (found []*alarm) {
	names, prefix, state, types := q.list("AlarmNames"), q.str("AlarmNamePrefix"), q.str("StateValue"), q.list("AlarmTypes")
	if types != nil && !slices.Contains(types, "MetricAlarm") {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(q.realm.alarms)) {
		a := q.realm.alarms[name]
		if (names == nil || slices.Contains(names, name)) && strings.HasPrefix(name, prefix) && (state == "" || state == a.state) {
			found = append(found, a)
		}
	}
	return found
}

func (q *call) checkAlarmQuery() *apiError {
	names, size := q.list("AlarmNames"), q.int("MaxRecords", maxAlarms)
	switch {
	case size < 1 || size > maxAlarms || len(names) > maxAlarms:
		return refuse("ValidationError", "MaxRecords and the number of alarm names must be in the range 1-%d", maxAlarms)
	case len(names) > 0 && q.has("AlarmNamePrefix"):
		return refuse("InvalidParameterCombination", "AlarmNames and AlarmNamePrefix cannot be specified together")
	}
	for _, kind := range q.list("AlarmTypes") {
		if err := oneOfMany("alarmTypes", kind, "CompositeAlarm", "MetricAlarm", "LogAlarm"); err != nil {
			return err
		}
	}
	return oneOfMany("stateValue", q.str("StateValue"), alarmNoData, alarmAlarm, alarmOK)
}

func (a *alarm) onWire(r *realm) alarmOnWire {
	return alarmOnWire{AlarmName: a.name, AlarmArn: r.arn("cloudwatch", "alarm:"+a.name), AlarmConfigurationUpdatedTimestamp: instant{a.changed},
		StateValue: cmp.Or(a.state, alarmNoData), StateReason: a.reason, StateReasonData: a.data, StateUpdatedTimestamp: instant{a.updated},
		StateTransitionedTimestamp: instant{a.since}, alarmSettings: a.settings}
}
