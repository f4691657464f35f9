// Package localaws is an AWS for one process: EC2, classic and v2 load balancers, SSM parameters, STS, CloudWatch alarms and
// SQS queues with the events of instances, with the real wire protocols, so that the unmodified SDK and the aws command line
// work against it.
//
// One implementation runs in three ways:
//
//   - in the test process, behind an http.RoundTripper and on a virtual clock: see Cloud.Transport, VirtualClock;
//   - as a server on loopback: see Cloud.Serve, Cloud.Handler, and AdminPath for what it can be asked about itself;
//   - as a server with its data plane on, where each server is a real HTTP server and each load balancer a real
//     listener. Its time may pass faster than the wall clock's: see ScaledClock.
//
// # How a call travels
//
//	HTTP request → decode (decode.go: form, query string, JSON or CBOR become one tree of parameters)
//	             → faults (faults.go: delay, fail before)
//	             → under the one lock of the world: who asks (auth.go), was it signed just now (signing.go), are they
//	               throttled (throttle.go), are all parameters known (operation.go), may they (iam.go), then the
//	               operation itself, in the world as a fault shows it (faults_read.go)
//	             → ledger (ledger.go: the call, its effect, its error)
//	             → faults (fail after the effect, lose the reply)
//	             → encode (encode.go, wire_rpc.go: in the words of the service's protocol, or of the call's)
//
// A service is a table of operations; an operation that is not in its table, a parameter that is not in the
// operation's list and a filter that is not in the resource's list are refused in AWS's own error format with their
// name. Nothing is silently ignored: what this package does not simulate, it says so.
//
// With LOCALAWS_MODELS in the environment, which names a folder of AWS's own service models as the aws command line ships
// them, every answer is judged by the model of its operation (package awsmodel); one that a client made from the model could
// not read, or would read otherwise, ends the process with the operation, the element and the body.
//
// # The world
//
// Everything that exists belongs to a realm: one account in one region. All realms share one lock, one clock and one
// source of randomness (Options.Seed), so that a run on a virtual clock can be repeated. The ground truth can be read
// through World; it is what the invariants of a test look at, rather than what Describe calls answer, because those
// may lag (Knobs).
//
// Whatever takes time is a wake (wake.go): a time, and a job, which is data. So the whole world can be saved with what is under
// way in it, loaded by another process, and reset by one call: see Cloud.Save, Load, Reset. A new part of the world is
// saved without more ado; what cannot be has to be listed, with the reason, in save_types.go.
//
// # The nodes of a load balancer
//
// A load balancer has one node in each zone that is enabled for it, as in AWS. Each node
//
//   - checks the members that it may send requests to, in a loop of its own, and sends requests by what it found itself. The
//     control plane calls a member healthy when all nodes do, and unhealthy as soon as one does (assumed);
//   - reaches the members of all zones, or only those of its own: cross-zone balancing is on for Application Load Balancers,
//     and off for Network Load Balancers and for classic ones that were made by API. Off, the node of a zone without healthy
//     members answers 503, or fails open, while the others serve;
//   - follows a changed rule, and a deregistration, after a delay of its own (BalancerKnobs.RulePropagation,
//     DeregistrationLag);
//   - listens on a port of its own: "web:80@us-east-1a" among Cloud.Endpoints. "web" and "web:80" stand for the load
//     balancer's name, which gives each new connection the next node. A node of an Application or Network Load Balancer with
//     too few healthy targets is not among them (target_group_health.dns_failover).
//
// # Alarms and events
//
// An alarm changes its state by SetAlarmState alone, because metrics are not simulated, and it has no actions. A queue gets the
// changes of state of instances once Realm.SendEvents says so, in the form of EventBridge; EventKnobs lose, double and delay them.
//
// # Who may do what
//
// A caller without a policy may do everything. Cloud.AttachPolicy gives an access key, a user or a role a policy in AWS's JSON;
// from then on what it allows is all that they may do. Each operation is asked for with the ARNs and the condition keys of AWS's
// service authorization reference (iam_requests.go, iam_launch.go): a launch for each thing that it uses and makes, for the tags
// that it writes and for the role that it passes. Roles have trust policies (Cloud.TrustRole) and sessions their tags. Elements,
// operators, keys and variables that are not simulated are refused when the policy is attached.
//
// # What goes wrong
//
// Faults hit calls (Fault) or the world (WorldFault), from Go or as one line of text: see ParseFault for the grammar. The seed
// decides what chance does. Every call and every change of state is in the ledger; Hook, OnEvent and OnChange see the world
// before and after each of them.
//
// # What runs on a server
//
// Each server runs one web application, which answers with the server's version and id. A launch says more of it in
// comment lines of its user data; so does an image, for all its servers (Image.App, without the mark):
//
//	#localaws version=2026.11.22-1 boot=2s configure=5s
//
//	version=V      what the application answers with
//	boot=D         from pending to running; "never": it stays pending
//	configure=D    from running until the application answers, which is where Chef would be at work
//	status=N       the HTTP status that it answers with; 200
//	sick-after=D   counted from its first answer: from then on it answers 500
//	crash=D        that long after it is running the server shuts itself down, as its shutdown behavior says
//	fail=CODE      instead of running, the launch ends in terminated with this state reason
//
// Times are written as for time.ParseDuration. Later settings win over earlier ones, and the user data over the image.
// Everything else in the user data is left alone; an unknown setting after #localaws refuses the launch, because it
// would silently do nothing.
package localaws
