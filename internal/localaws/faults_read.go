package localaws

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// maxStale is how far back a read can go: what is older is forgotten.
const maxStale = 10 * time.Minute

// birth is when something was made.
type birth struct {
	name string
	at   time.Time
}

// born are the kinds of changes that begin with something new.
var born = map[string]bool{"instance": true, "volume": true, "image": true, "parameter": true, "balancer": true, "targetGroup": true,
	"listener": true, "rule": true}

// bear remembers what was made lately. Called with c.mu held.
func (c *Cloud) bear(name string) {
	now := c.now()
	old := 0
	for old < len(c.births) && now.Sub(c.births[old].at) > maxStale {
		old++
	}
	c.births = append(c.births[old:], birth{name, now})
}

// youngerThan are the names of what was made less than d ago.
func (c *Cloud) youngerThan(d time.Duration) map[string]bool {
	young := map[string]bool{}
	now := c.now()
	for _, b := range slices.Backward(c.births) {
		if now.Sub(b.at) >= d {
			break
		}
		young[b.name] = true
	}
	return young
}

// runUnder runs an operation under what a fault does to its view of the world. Called with c.mu held.
func (c *Cloud) runUnder(q *call, op *operation, fault *Fault) (any, *apiError) {
	hidden := func(string) bool { return false }
	if fault.Young > 0 {
		young := c.youngerThan(fault.Young)
		if err := q.namesYoung(young); err != nil {
			return nil, err
		}
		hidden = func(name string) bool { return young[name] }
	}
	if fault.Launch != "" {
		q.settings = "\n" + settingsMark + " " + fault.Launch
	}
	q.twice = fault.Twice
	if op.mutates {
		return c.recording(q, func() (any, *apiError) { return op.run(c, q) })
	}
	at := q.at
	q.at, q.past = at.Add(-fault.Stale), fault.Stale > 0
	result, err := op.run(c, q)
	q.at = at
	if fault.Young > 0 || fault.Missing != "" {
		result = without(result, func(name string) bool {
			return hidden(name) || fault.Missing != "" && isCalled(name, fault.Missing)
		})
	}
	return result, err
}

// namesYoung refuses a call that names what is too young to be known.
func (q *call) namesYoung(young map[string]bool) *apiError {
	for key, values := range q.form {
		if !strings.HasPrefix(key, "Filter.") && namesResource(key) && young[values[0]] {
			return q.service.notFound(values[0])
		}
	}
	return nil
}

// notFound is how a service refuses a name that it does not know.
func (s *service) notFound(name string) *apiError {
	if s.name == "ec2" {
		return unknownResource(name)
	}
	for kind, err := range map[string]*apiError{
		":targetgroup/":   refuse("TargetGroupNotFound", "One or more target groups not found"),
		":loadbalancer/":  refuse("LoadBalancerNotFound", "Load balancers '[%s]' not found", name),
		":listener/":      refuse("ListenerNotFound", "One or more listeners not found"),
		":listener-rule/": refuse("RuleNotFound", "One or more rules not found"),
	} {
		if strings.Contains(name, kind) {
			return err
		}
	}
	switch {
	case s.name == "ssm":
		return refuse("ParameterNotFound", "")
	case strings.HasPrefix(name, "i-") && s.name == "elb":
		return refuse("InvalidInstance", "Could not find EC2 instance %s.", name)
	case strings.HasPrefix(name, "i-"):
		return refuse("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", name)
	}
	return refuse("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named '%s'", name)
}

// without is a result whose lists lack the elements that are hidden, at any depth. An element is hidden by its own names:
// the text of its first field and, in the load balancers' answers, its name and its ARN. A reservation goes with its last
// instance.
func without(result any, hidden func(string) bool) any {
	v := reflect.ValueOf(result)
	if v.Kind() != reflect.Struct {
		return result
	}
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	leaveOut(copied, hidden)
	return copied.Interface()
}

func leaveOut(v reflect.Value, hidden func(string) bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				leaveOut(v.Field(i), hidden)
			}
		}
	case reflect.Slice:
		kept := reflect.MakeSlice(v.Type(), 0, v.Len())
		for i := range v.Len() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.Index(i))
			if slices.ContainsFunc(ownNames(element), hidden) {
				continue
			}
			leaveOut(element, hidden)
			if r, isReservation := reflect.TypeAssert[reservationXML](element); isReservation && len(r.Instances.Items) == 0 {
				continue
			}
			kept = reflect.Append(kept, element)
		}
		if v.Len() > 0 {
			v.Set(kept)
		}
	}
}

// ownNames are what an element of a list is called.
func ownNames(v reflect.Value) []string {
	if v.Kind() != reflect.Struct || v.NumField() == 0 {
		return nil
	}
	if first := v.Field(0); first.Kind() == reflect.Struct {
		return ownNames(first)
	}
	var own []string
	for i := range v.NumField() {
		field := v.Type().Field(i)
		identity := i == 0 || slices.Contains([]string{"LoadBalancerName", "LoadBalancerArn", "TargetGroupName", "TargetGroupArn"}, field.Name) &&
			sameThing(v.Type().Field(0).Name, field.Name)
		if v.Field(i).Kind() == reflect.String && identity {
			own = append(own, v.Field(i).String())
		}
	}
	return own
}

// sameThing tells whether two fields name the same thing, as LoadBalancerArn and LoadBalancerName do.
func sameThing(a, b string) bool {
	stem := func(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "Name"), "Arn") }
	return stem(a) == stem(b)
}
