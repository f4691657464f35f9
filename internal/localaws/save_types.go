package localaws

import (
	"encoding"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// leftOut are the fields that are not saved, by type and name, and why. All others are; one that cannot be is an error.
var leftOut = map[string]string{
	"Cloud.Realm":       "the home realm is in the head of the file, and a cloud keeps its own",
	"Cloud.mu":          "a lock",
	"Cloud.loading":     "a lock",
	"Cloud.clock":       "a cloud keeps its own; times are shifted to it",
	"Cloud.options":     "what the cloud was made with",
	"Cloud.start":       "a saved world of its own",
	"Cloud.rng":         "made from rngAt",
	"Cloud.calls":       "made from callsAt",
	"Cloud.services":    "tables that never change",
	"Fault.Match":       "a function of the caller's; a fault that has one cannot be saved, see Save",
	"Cloud.hooks":       "functions of the caller's",
	"Cloud.changeHooks": "functions of the caller's",
	"Cloud.eventHooks":  "functions of the caller's",
	"Cloud.ledger":      "what happened is of this process, and not part of what exists",
	"Cloud.closed":      "of this process",
	"Cloud.closers":     "of this process",
	"wake.cancel":       "the clock's; it is set anew",
	"balancers.plane":   "sockets of this process; opened anew",
	"member.backend":    "connections of this process; made anew",
	"node.table":        "made anew from what is saved when the data plane is opened",
	"dns.nodes":         "made anew from what is saved when the data plane is opened",
	"Cloud.judge":       "of this process",
	"queue.grown":       "somebody who waits in this process",
}

// implementations are the types that stand behind an interface in the world: the rules of pools, all jobs, and what ends a fault.
var implementations = typesByName(
	classicRules{}, groupRules{},
	imageReady{}, shutDownEnds{}, stopEnds{}, tagsVanish{}, instanceVanishes{}, tokenExpires{}, bootEnds{}, configureEnds{}, sickens{},
	crashes{}, registrationEnds{}, memberVanishes{}, verdictShows{}, memberIsIdle{}, checkIsDue{}, nodeHears{}, checkTimesOut{},
	rulesArrive{}, keyVanishes{}, quotaFrees{}, imageVanishes{}, messagesShow{}, eventArrives{}, faultBegins{}, faultEnds{}, flapTurns{},
	saidOver{}, repaired{}, appReleased{}, zoneBack{}, roomAsItWas{}, shiftEnds{}, classicAgain{}, groupAgain{}, balancerAgain{},
)

func typesByName(values ...any) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, v := range values {
		t := reflect.TypeOf(v)
		out[t.Name()] = t
	}
	return out
}

// The types that are written in a way of their own.
var (
	cloudType    = reflect.TypeFor[*Cloud]()
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[[]byte]()
	pcgType      = reflect.TypeFor[rand.PCG]()
	textType     = reflect.TypeFor[encoding.TextMarshaler]()
	atomicTypes  = []reflect.Type{reflect.TypeFor[atomic.Bool](), reflect.TypeFor[atomic.Int64](), reflect.TypeFor[atomic.Uint64]()}
)

// plainKinds are written as JSON writes them.
var plainKinds = []reflect.Kind{reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
	reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64}

// isObject tells whether values of a type have an identity: others may point to them.
func isObject(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == cloudType.Elem().PkgPath()
}

// isText tells whether values of a type are written as their text: addresses and the like.
func isText(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && !isObject(t) && t.Implements(textType)
}

// fieldsByType is what savedFields found, by type.
var fieldsByType sync.Map

// savedFields are the numbers of a struct's fields that are saved.
func savedFields(t reflect.Type) []int {
	if known, ok := fieldsByType.Load(t); ok {
		return known.([]int)
	}
	var out []int
	for i := range t.NumField() {
		if _, left := leftOut[t.Name()+"."+t.Field(i).Name]; !left {
			out = append(out, i)
		}
	}
	fieldsByType.Store(t, out)
	return out
}

// open gives a field as if it were exported. It must be part of something addressable.
func open(field reflect.Value) reflect.Value {
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
}

// surveyor visits every type that the world is made of.
type surveyor struct {
	objects map[string]reflect.Type // by name
	shape   []string
	wrong   []error
}

// survey is that of this program, which does not change.
var survey = sync.OnceValue(func() *surveyor {
	s := &surveyor{objects: map[string]reflect.Type{}}
	s.visit(cloudType.Elem(), "Cloud")
	for _, name := range slices.Sorted(maps.Keys(implementations)) {
		s.visit(implementations[name], name)
	}
	return s
})

// worldShape is a hash of what worlds are made of.
func worldShape() (string, error) {
	s := survey()
	if s.wrong != nil {
		return "", errors.Join(s.wrong...)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join(s.shape, "\n"))) // a hash never fails
	return fmt.Sprintf("%016x", h.Sum64()), nil
}

// visit notes a type and those that it is made of; at is where it was met.
func (s *surveyor) visit(t reflect.Type, at string) {
	switch {
	case t == cloudType, t == timeType, t == bytesType, t == pcgType, isText(t), slices.Contains(atomicTypes, t),
		slices.Contains(plainKinds, t.Kind()):
	case t.Kind() == reflect.Struct:
		s.visitFields(t, at)
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice:
		s.visit(t.Elem(), at)
	case t.Kind() == reflect.Map:
		s.visit(t.Key(), at)
		s.visit(t.Elem(), at)
	case t.Kind() == reflect.Interface && t.PkgPath() == cloudType.Elem().PkgPath():
		// What is behind it is among the implementations.
	default:
		s.wrong = append(s.wrong, fmt.Errorf("%s is of type %s, which cannot be saved: make it data, or add it to leftOut with the reason", at, t))
	}
}

func (s *surveyor) visitFields(t reflect.Type, at string) {
	if isObject(t) {
		if s.objects[t.Name()] == t {
			return
		}
		s.objects[t.Name()] = t
		at = t.Name()
	} else if t.PkgPath() != "" {
		s.wrong = append(s.wrong, fmt.Errorf("%s is a %s, which this package knows nothing of: add it to leftOut with the reason", at, t))
		return
	}
	for _, i := range savedFields(t) {
		f := t.Field(i)
		s.shape = append(s.shape, at+"."+f.Name+" "+f.Type.String())
		s.visit(f.Type, at+"."+f.Name)
	}
}
