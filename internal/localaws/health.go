package localaws

// BalancerKnobs are the delays and limits of load balancers.
type BalancerKnobs struct{}

func defaultBalancerKnobs() BalancerKnobs { return BalancerKnobs{} }

// balancers is what one realm has of load balancers and target groups.
type balancers struct{}

func newBalancers(*realm) *balancers { return &balancers{} }

// balancersInstanceChanged hears of every change of an instance's state or of its application's answer. Called with
// c.mu held, after the change.
func (c *Cloud) balancersInstanceChanged(*instance) {}

func classicOperations() map[string]operation { return map[string]operation{} }

func elbv2Operations() map[string]operation { return map[string]operation{} }
