package localaws

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// alarmUnits, and the bounds below, are those of AWS's own model (PutMetricAlarmInput, SetAlarmStateInput).
var alarmUnits = strings.Fields("Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits Gigabits " +
	"Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second Bits/Second Kilobits/Second " +
	"Megabits/Second Gigabits/Second Terabits/Second Count/Second None")

const (
	maxAlarmDescription = 1024
	maxMetricName       = 255 // of a namespace and of a dimension, too
	maxDimensions       = 30
	maxDimensionValue   = 1024
	maxStateReason      = 1023
	maxStateReasonData  = 4000
)

// extendedStatistic is a percentile, or a statistic with its bounds such as tm90 or TM(10%:90%) (CloudWatch user guide, statistics).
var extendedStatistic = regexp.MustCompile(`^(p\d{1,2}(\.\d+)?|p100|IQM|(tm|wm|tc|ts|pr)\d{1,2}(\.\d+)?|(TM|WM|TC|TS|PR)\([\d.]*%?:[\d.]*%?\))$`)

// validateMetric checks what describes the metric.
func (s alarmSettings) validateMetric() *apiError {
	switch {
	case utf8.RuneCountInString(s.AlarmDescription) > maxAlarmDescription:
		return refuse("ValidationError", "The alarm description can have at most %d characters", maxAlarmDescription)
	case len(s.MetricName) > maxMetricName || len(s.Namespace) > maxMetricName || strings.HasPrefix(s.Namespace, ":"):
		return refuse("ValidationError", "MetricName and Namespace have at most %d characters, and a Namespace does not begin with a colon", maxMetricName)
	case s.ExtendedStatistic != "" && !extendedStatistic.MatchString(s.ExtendedStatistic):
		return refuse("InvalidParameterValue", "The value %s for parameter ExtendedStatistic is not valid", s.ExtendedStatistic)
	case len(s.Dimensions.Members) > maxDimensions:
		return refuse("ValidationError", "A metric has at most %d dimensions", maxDimensions)
	}
	for _, d := range s.Dimensions.Members {
		if !d.valid() {
			return refuse("ValidationError", "The dimension '%s' must have an ASCII name of 1 to %d characters that does not begin with a colon, "+
				"and an ASCII value of 1 to %d", d.Name, maxMetricName, maxDimensionValue)
		}
	}
	return nil
}

func (d alarmDimension) valid() bool {
	return strings.TrimSpace(d.Name) != "" && strings.TrimSpace(d.Value) != "" && !strings.HasPrefix(d.Name, ":") &&
		len(d.Name) <= maxMetricName && len(d.Value) <= maxDimensionValue && isASCII(d.Name) && isASCII(d.Value)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}
