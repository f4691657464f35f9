package localaws

import (
	"maps"
	"slices"
	"time"
)

// classicBalancer is a load balancer of the first generation (API version 2012-06-01). Guarded by Cloud.mu.
type classicBalancer struct {
	balancer

	pool      *pool
	dnsName   string
	scheme    string
	vpcID     string
	groups    []string
	created   time.Time
	listeners []classicListener // by port
	attrs     classicAttributes
	tags      map[string]string
	leaving   map[string]time.Time // zones that were disabled, and until when they read so
}

// classicListener is one listener; TLS is not simulated, so protocols are HTTP or TCP on both sides.
type classicListener struct {
	protocol         string
	port             int
	instanceProtocol string
	instancePort     int
}

// classicOperations is the API of classic load balancers.
func classicOperations() map[string]operation {
	name := []string{"LoadBalancerName!"}
	instances := append(slices.Clone(name), "Instances.member.N.InstanceId!")
	names := []string{"LoadBalancerNames.member.N!"}
	listeners := []string{
		"Listeners.member.N.Protocol!", "Listeners.member.N.LoadBalancerPort:int!", "Listeners.member.N.InstanceProtocol",
		"Listeners.member.N.InstancePort:int!", "Listeners.member.N.SSLCertificateId",
	}
	write := func(run func(*Cloud, *call) (any, *apiError), params ...string) operation {
		return operation{params: params, mutates: true, run: run}
	}
	read := func(run func(*Cloud, *call) (any, *apiError), params ...string) operation {
		return operation{params: params, run: run}
	}
	return map[string]operation{
		"CreateLoadBalancer": write(createClassic, append(listeners, "LoadBalancerName!", "AvailabilityZones.member.N",
			"Subnets.member.N", "SecurityGroups.member.N", "Scheme", "Tags.member.N.Key", "Tags.member.N.Value")...),
		"DeleteLoadBalancer":          write(deleteClassic, name...),
		"DescribeLoadBalancers":       read(describeClassic, "LoadBalancerNames.member.N", "Marker", "PageSize:int"),
		"CreateLoadBalancerListeners": write(createClassicListeners, append(listeners, name...)...),
		"DeleteLoadBalancerListeners": write(deleteClassicListeners, "LoadBalancerName!", "LoadBalancerPorts.member.N:int!"),
		"ConfigureHealthCheck": write(configureClassicCheck, "LoadBalancerName!", "HealthCheck.Target!",
			"HealthCheck.Interval:int!", "HealthCheck.Timeout:int!", "HealthCheck.UnhealthyThreshold:int!",
			"HealthCheck.HealthyThreshold:int!"),
		"EnableAvailabilityZonesForLoadBalancer":  write(enableClassicZones, "LoadBalancerName!", "AvailabilityZones.member.N!"),
		"DisableAvailabilityZonesForLoadBalancer": write(disableClassicZones, "LoadBalancerName!", "AvailabilityZones.member.N!"),
		"AttachLoadBalancerToSubnets":             write(attachClassicSubnets, "LoadBalancerName!", "Subnets.member.N!"),
		"DetachLoadBalancerFromSubnets":           write(detachClassicSubnets, "LoadBalancerName!", "Subnets.member.N!"),

		"RegisterInstancesWithLoadBalancer":   write(registerClassic, instances...),
		"DeregisterInstancesFromLoadBalancer": write(deregisterClassic, instances...),
		"DescribeInstanceHealth":              read(describeClassicHealth, "LoadBalancerName!", "Instances.member.N.InstanceId"),

		"DescribeLoadBalancerAttributes": read(describeClassicAttributes, name...),
		"ModifyLoadBalancerAttributes":   write(modifyClassicAttributes, classicAttributeParams()...),

		"AddTags":      write(addClassicTags, "LoadBalancerNames.member.N!", "Tags.member.N.Key!", "Tags.member.N.Value"),
		"RemoveTags":   write(removeClassicTags, "LoadBalancerNames.member.N!", "Tags.member.N.Key!"),
		"DescribeTags": read(describeClassicTags, names...),

		"DescribeAccountLimits": read(describeLimits(classicLimits), "Marker", "PageSize:int"),
	}
}

// classicNamed finds the load balancer that a call is about. The text is AWS's (HubSpot/Baragon issue 365).
func (q *call) classicNamed(name string) (*classicBalancer, *apiError) {
	if lb, ok := q.realm.balancers.classic[name]; ok {
		return lb, nil
	}
	return nil, refuse("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named '%s'", name)
}

// classicsNamed finds several; no names mean all of them, by name.
func (q *call) classicsNamed(names []string) ([]*classicBalancer, *apiError) {
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(q.realm.balancers.classic))
	}
	out := make([]*classicBalancer, 0, len(names))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		lb, err := q.classicNamed(name)
		if err != nil {
			return nil, err
		}
		out = append(out, lb)
	}
	return out, nil
}
