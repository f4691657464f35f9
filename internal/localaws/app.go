package localaws

import "time"

// What an application answers that is no HTTP status.
const (
	// AppRefuses: nothing listens, the connection is refused.
	AppRefuses = 0
	// AppHangs: the connection is accepted and nothing is ever answered.
	AppHangs = -1
)

// app is what runs on a server: one web application that answers with its version.
type app struct {
	version   string
	configure time.Duration // from running to serving
	status    int           // what it answers once it serves
	serving   bool          // the server runs and the application was configured
}

// answer is what a request to the server's application gets now: an HTTP status, AppRefuses or AppHangs. Called with
// Cloud.mu held.
func (in *instance) answer() int {
	if in.state != stateRunning || !in.app.serving {
		return AppRefuses
	}
	return in.app.status
}
