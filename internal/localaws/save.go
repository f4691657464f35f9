package localaws

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"
)

// saveFormat names what Save writes. A new number says that equal fields mean something else; fields that come and go change
// the shape.
const saveFormat = "slipway-localaws/1"

// savedWorld is a world as it is written down.
type savedWorld struct {
	Format string `json:"format"`
	// Shape is a hash of the names and types of everything that is saved: a world of other parts is not read by half.
	Shape string `json:"shape"`
	// Home is the home realm, which a Cloud has from its beginning.
	Home string `json:"home"`
	// Time is what the clock read.
	Time time.Time `json:"time"`
	// Cloud are the roots, and Objects what they point to, by name: "instance#3".
	Cloud   json.RawMessage            `json:"cloud"`
	Objects map[string]json.RawMessage `json:"objects"`
	// Sum is the SHA-256 of the rest: a world that was changed by hand might not hold together, and would break much later.
	Sum string `json:"sum"`
}

// sum is what Sum has to be.
func (s savedWorld) sum() (string, error) {
	s.Sum = ""
	text, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("summing up the world: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Save writes down all that exists, as JSON: realms and what is in them, what is under way with the time that it still takes
// (boots, registrations, draining, rules on their way to nodes), token buckets, access keys and roles, knobs, faults with what they
// did and when they end, and the positions of the random sources. Not kept are
//
//   - connections, requests and health checks that are in flight, and the ports of the data plane;
//   - hooks, which are functions of the caller's. A fault with Match has one, and fails Save: remove it first;
//   - the ledger.
//
// The file has secrets in the clear: user data and the values of secure strings.
func (c *Cloud) Save(w io.Writer) error {
	saved, err := c.saved()
	if err != nil {
		return err
	}
	return saved.write(w)
}

func (s *savedWorld) write(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	if err := out.Encode(s); err != nil {
		return fmt.Errorf("writing the world: %w", err)
	}
	return nil
}

func (c *Cloud) saved() (*savedWorld, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shape, err := worldShape()
	if err != nil {
		return nil, err
	}
	for _, h := range c.faults.active {
		if h.fault != nil && h.fault.Match != nil {
			return nil, fmt.Errorf("the fault %q has a function that chooses its calls, and cannot be saved: remove it first", h)
		}
	}
	out := &savedWorld{Format: saveFormat, Shape: shape, Home: c.Realm.key.name(), Time: c.clock.Now().UTC()}
	if out.Cloud, out.Objects, err = writeWorld(c); err != nil {
		return nil, fmt.Errorf("saving the world: %w", err)
	}
	out.Sum, err = out.sum()
	return out, err
}

func (k realmKey) name() string { return k.account + "/" + k.region }

// Load puts a saved world in the place of this one. It goes on as if time had stood still in between: every time in it is
// shifted by how much the clock has moved on, so that what had five seconds to go has five seconds to go. A data plane that is on
// is closed and opened again, on the same ports where they are free. Its faults take the place of those in force; hooks and the
// ledger stay. A world of another format, shape or home, and anything else, is refused and changes nothing.
func (c *Cloud) Load(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading a saved world: %w", err)
	}
	return c.load(data, "loaded")
}

func (c *Cloud) load(data []byte, how string) error {
	saved, err := c.readSaved(data)
	if err != nil {
		return err
	}
	c.loading.Lock()
	defer c.loading.Unlock()
	shift := c.clock.Now().Sub(saved.Time)
	world, err := readWorld(c, saved, shift)
	if err != nil {
		return fmt.Errorf("this is no world that can be loaded: %w", err)
	}
	for _, h := range c.Faults() {
		h.Remove()
	}
	restart := c.suspendPlane()
	c.mu.Lock()
	c.event(func() { c.replace(world, how) })
	c.mu.Unlock()
	return restart()
}

// readSaved reads the outside of a saved world.
func (c *Cloud) readSaved(data []byte) (*savedWorld, error) {
	var saved savedWorld
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, fmt.Errorf("this is no saved world: %w", err)
	}
	shape, err := worldShape()
	if err != nil {
		return nil, err
	}
	sum, err := saved.sum()
	switch {
	case err != nil:
		return nil, err
	case saved.Format != saveFormat:
		return nil, fmt.Errorf("this is no saved world, or one of another version: its format is %q, and this program reads %q", saved.Format, saveFormat)
	case saved.Shape != shape:
		return nil, fmt.Errorf("the world was saved by another version of this program (its shape is %s, and this program's %s): "+
			"make it anew, or load it with the program that saved it", saved.Shape, shape)
	case saved.Sum != sum:
		return nil, errors.New("the world was changed or damaged after it was saved")
	case saved.Home != c.Realm.key.name():
		return nil, fmt.Errorf("the world's home is %s, and that of this cloud %s: start one with that account and region", saved.Home, c.Realm.key.name())
	}
	return &saved, nil
}

// replace puts the parts of another world, which was read for this cloud, in the place of its own. Called with c.mu held.
func (c *Cloud) replace(world *Cloud, how string) {
	for _, w := range c.waiting {
		w.cancel()
	}
	to, from := reflect.ValueOf(c).Elem(), reflect.ValueOf(world).Elem()
	for _, i := range savedFields(to.Type()) {
		open(to.Field(i)).Set(open(from.Field(i)))
	}
	c.rng, c.calls = rand.New(c.rngAt), rand.New(c.callsAt)
	now := c.clock.Now()
	for _, serial := range slices.Sorted(maps.Keys(c.waiting)) {
		w := c.waiting[serial]
		w.arm(w.due.Sub(now))
	}
	c.recordChange(c.realm(c.Realm.key), "world", "everything", "", how, askedOutside)
}

// SetStart makes the world as it is now the one that Reset goes back to. Without it that is the empty world of New.
func (c *Cloud) SetStart() error {
	var b bytes.Buffer
	if err := c.Save(&b); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start = b.Bytes()
	return nil
}

// Reset goes back to the world of SetStart, its knobs and faults included. The ledger stays, and tells of it.
func (c *Cloud) Reset() error {
	c.mu.Lock()
	start := c.start
	c.mu.Unlock()
	if start == nil {
		var b bytes.Buffer
		if err := New(c.options).Save(&b); err != nil {
			return err
		}
		start = b.Bytes()
	}
	return c.load(start, "reset")
}

// suspendPlane closes the data plane, if it is on; restart opens it again.
func (c *Cloud) suspendPlane() (restart func() error) {
	c.mu.Lock()
	p := c.plane()
	if p == nil {
		c.mu.Unlock()
		return func() error { return nil }
	}
	options := p.options
	options.Ports = p.ports()
	c.mu.Unlock()
	p.stop()
	return func() error {
		if err := c.StartDataPlane(p.parent, options); err != nil {
			return fmt.Errorf("opening the data plane again: %w", err)
		}
		return nil
	}
}
