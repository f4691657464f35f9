package localaws

// realmKey names one account in one region; resources of one realm are invisible to every other.
type realmKey struct{ account, region string }

// realm holds what one account has in one region. All of it is guarded by Cloud.mu.
type realm struct {
	c               *Cloud
	account, region string

	instances map[string]*instance
	order     []*instance // by launch; gone ones are dropped now and then
	gone      int         // how many of order are gone
	serial    uint64      // of the last launch

	tagged    map[string]*tagged // every taggable resource, by id
	volumes   map[string]*volume
	snapshots map[string]int // their sizes in GiB
	images    map[string]*image
	subnets   map[string]*subnet
	vpcs      map[string]*vpc
	groups    map[string]*securityGroup
	keyPairs  map[string]*keyPair
	profiles  map[string]*instanceProfile // by name
	zones     []string
	tokens    map[string]*launchToken
	fleets    map[string]*fleet          // by id
	requests  map[string]*pastRequest    // by action and client token
	templates map[string]*launchTemplate // by id
	capacity  map[capacityKey]int        // what EC2 will still start; no entry: any number
	withheld  map[capacityKey]bool       // types that a zone does not offer
	out       map[string]bool            // zones that are out
	quotas    quotas
	params    map[string]*parameter // SSM, by name
	queues    map[string]*queue     // SQS, by name
	alarms    map[string]*alarm     // by name
	balancers *balancers
}

// Realm is a handle to one account in one region, for setting up its world from Go.
type Realm struct {
	c   *Cloud
	key realmKey
}

// In is the handle to any account and region; empty strings mean home.
func (c *Cloud) In(account, region string) Realm {
	key := realmKey{account, region}
	if account == "" {
		key.account = c.Realm.key.account
	}
	if region == "" {
		key.region = c.Realm.key.region
	}
	return Realm{c: c, key: key}
}

// Account is the realm's account number.
func (r Realm) Account() string { return r.key.account }

// Region is the realm's region.
func (r Realm) Region() string { return r.key.region }

// edit runs f on the realm with the lock of the world held.
func (r Realm) edit(f func(*realm)) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.event(func() { f(r.c.realm(r.key)) })
}

// realm finds or makes the realm. Called with c.mu held.
func (c *Cloud) realm(key realmKey) *realm {
	if r, ok := c.realms[key]; ok {
		return r
	}
	r := &realm{
		c:         c,
		account:   key.account,
		region:    key.region,
		instances: map[string]*instance{},
		tagged:    map[string]*tagged{},
		volumes:   map[string]*volume{},
		snapshots: map[string]int{},
		images:    map[string]*image{},
		subnets:   map[string]*subnet{},
		vpcs:      map[string]*vpc{},
		groups:    map[string]*securityGroup{},
		keyPairs:  map[string]*keyPair{},
		profiles:  map[string]*instanceProfile{},
		zones:     []string{key.region + "a", key.region + "b", key.region + "c"},
		tokens:    map[string]*launchToken{},
		fleets:    map[string]*fleet{},
		requests:  map[string]*pastRequest{},
		templates: map[string]*launchTemplate{},
		capacity:  map[capacityKey]int{},
		withheld:  map[capacityKey]bool{},
		out:       map[string]bool{},
		quotas:    quotas{instances: -1, vcpus: -1},
		params:    map[string]*parameter{},
		queues:    map[string]*queue{},
		alarms:    map[string]*alarm{},
	}
	r.balancers = newBalancers(r)
	c.realms[key] = r
	return r
}

// arn makes the ARN of a resource of this realm, such as arn:aws:ec2:us-east-1:123456789012:instance/i-1.
func (r *realm) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + r.region + ":" + r.account + ":" + resource
}
