package localaws

import "time"

// tagged is what carries tags: one EC2 resource. Guarded by Cloud.mu.
type tagged struct {
	id   string
	kind string // AWS's resource type: instance, volume, network-interface, image, subnet …
	tags map[string]string

	shown      map[string]string // what readers see until shownUntil, for TagLag
	shownUntil time.Time
}
