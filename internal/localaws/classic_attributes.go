package localaws

// classicAttributes are the settings of ModifyLoadBalancerAttributes.
type classicAttributes struct {
	crossZone    bool
	draining     bool
	drainTimeout int // seconds
	idle         int // seconds
}

// defaultClassicAttributes are those of a load balancer made through the API: connection draining and cross-zone
// balancing off, idle connections closed after 60 s (classic guide). That draining is off by default is inferred from
// the guide telling how to turn it on.
func defaultClassicAttributes() classicAttributes {
	return classicAttributes{drainTimeout: 300, idle: 60}
}

// maxMoreAttributes is how many additional attributes a call may have (AWS's model of the service).
const maxMoreAttributes = 10

func classicAttributeParams() []string {
	return []string{
		"LoadBalancerName!", "LoadBalancerAttributes:empty!",
		"LoadBalancerAttributes.CrossZoneLoadBalancing.Enabled:bool",
		"LoadBalancerAttributes.ConnectionDraining.Enabled:bool",
		"LoadBalancerAttributes.ConnectionDraining.Timeout:int",
		"LoadBalancerAttributes.ConnectionSettings.IdleTimeout:int",
		"LoadBalancerAttributes.AccessLog.Enabled:bool",
		"LoadBalancerAttributes.AdditionalAttributes.member.N.Key",
		"LoadBalancerAttributes.AdditionalAttributes.member.N.Value",
	}
}

type classicAttributesOnWire struct {
	CrossZoneLoadBalancing *enabled
	ConnectionDraining     *classicDrainingOnWire
	ConnectionSettings     *classicIdleOnWire
	AccessLog              *enabled
	AdditionalAttributes   members[keyValue]
}

type enabled struct{ Enabled bool }

type classicDrainingOnWire struct {
	Enabled bool
	Timeout int
}

type classicIdleOnWire struct{ IdleTimeout int }

type keyValue struct{ Key, Value string }

type describedClassicAttributes struct {
	LoadBalancerAttributes classicAttributesOnWire
}

type modifiedClassicAttributes struct {
	LoadBalancerName       string
	LoadBalancerAttributes classicAttributesOnWire
}

func (a classicAttributes) onWire() classicAttributesOnWire {
	return classicAttributesOnWire{
		CrossZoneLoadBalancing: &enabled{a.crossZone},
		ConnectionDraining:     &classicDrainingOnWire{a.draining, a.drainTimeout},
		ConnectionSettings:     &classicIdleOnWire{a.idle},
		AccessLog:              &enabled{},
		AdditionalAttributes:   membersOf([]keyValue{{desyncAttribute, desyncDefault}}),
	}
}

// Requests that other servers may read in another way do not occur here.
const (
	desyncAttribute = "elb.http.desyncmitigationmode"
	desyncDefault   = "defensive"
)

func describeClassicAttributes(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	return describedClassicAttributes{lb.attrs.onWire()}, nil
}

func modifyClassicAttributes(_ *Cloud, q *call) (any, *apiError) {
	given := q.params.at("LoadBalancerAttributes")
	if err := classicAttributesAreWhole(q, given); err != nil {
		return nil, err
	}
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	a := lb.attrs
	if err := a.change(given); err != nil {
		return nil, err
	}
	lb.attrs = a
	lb.pool.reconsider() // whose members which node reaches may have changed
	lb.open()
	q.effect("attributes of %s: draining %t %ds, cross-zone %t, idle timeout %ds", lb.name, a.draining, a.drainTimeout,
		a.crossZone, a.idle)
	return modifiedClassicAttributes{lb.name, a.onWire()}, nil
}

// classicAttributesAreWhole refuses a part without what AWS's model requires of it, which would be taken for off. Of the parts that
// are simulated only draining has more than that.
func classicAttributesAreWhole(q *call, given *params) *apiError {
	if given.has("ConnectionDraining") && !given.has("ConnectionDraining.Enabled") {
		return q.service.protocol.missingParameter("LoadBalancerAttributes.ConnectionDraining.Enabled")
	}
	return tooMany("LoadBalancerAttributes.AdditionalAttributes", len(given.structs("AdditionalAttributes")), maxMoreAttributes)
}

// change takes over what was given; each part of the attributes is replaced by itself.
func (a *classicAttributes) change(p *params) *apiError {
	if p.bool("AccessLog.Enabled", false) {
		return badConfiguration("Access logs are not simulated here")
	}
	a.crossZone = p.bool("CrossZoneLoadBalancing.Enabled", a.crossZone)
	a.draining = p.bool("ConnectionDraining.Enabled", a.draining)
	a.drainTimeout = p.int("ConnectionDraining.Timeout", a.drainTimeout)
	a.idle = p.int("ConnectionSettings.IdleTimeout", a.idle)
	if a.drainTimeout < 1 || a.drainTimeout > 3600 {
		return badConfiguration("ConnectionDraining timeout must be between 1 and 3600 seconds")
	}
	if a.idle < 1 || a.idle > 3600 {
		return badConfiguration("ConnectionSettings idle timeout must be between 1 and 3600 seconds")
	}
	return a.changeMore(p)
}

// changeMore reads the additional attributes, of which there is one.
func (a *classicAttributes) changeMore(p *params) *apiError {
	for _, more := range p.structs("AdditionalAttributes") {
		key, value := more.str("Key"), more.str("Value")
		switch {
		case key != desyncAttribute || value != "monitor" && value != desyncDefault && value != "strictest":
			return refuse("LoadBalancerAttributeNotFound", "The load balancer attribute '%s' with the value '%s' does not exist", key, value)
		case value != desyncDefault:
			return badConfiguration("The value '%s' of the attribute '%s' is not simulated here; only '%s' is", value, key, desyncDefault)
		}
	}
	return nil
}
