package safety

// What the worlds of these tests are made of, by name.
const (
	edgePool, testPool = "edge", "test"
	rivalName          = "rival"   // a Release that wants the pools of another
	previewName        = "preview" // a way to begin, and a pool of the core's model
	noneName           = "none"    // what names nothing
	slipwayKey         = "AKIASLIPWAY"
)
