package localaws

// throttles are the token buckets of all realms. Guarded by Cloud.mu.
type throttles map[string]*bucket

// bucket is one token bucket.
type bucket struct{}

// throttle refuses a call whose bucket is empty. Called with c.mu held.
func (c *Cloud) throttle(*call, *operation) *apiError { return nil }
