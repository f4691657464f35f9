package localaws

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// worldReader makes a graph of structs from a tree.
type worldReader struct {
	c       *Cloud // that the world is for
	shift   time.Duration
	saved   map[string]json.RawMessage
	objects map[string]reflect.Value // by name
	order   []string                 // as they were met; their bodies are read in this order
}

// readWorld makes the parts of a world for a cloud, which it does not touch.
func readWorld(c *Cloud, saved *savedWorld, shift time.Duration) (*Cloud, error) {
	r := &worldReader{c: c, shift: shift, saved: saved.Objects, objects: map[string]reflect.Value{}}
	world := &Cloud{}
	if err := r.fields(saved.Cloud, reflect.ValueOf(world).Elem()); err != nil {
		return nil, err
	}
	for i := 0; i < len(r.order); i++ { // it grows on the way
		name := r.order[i]
		if err := r.fields(r.saved[name], r.objects[name].Elem()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if world.rngAt == nil || world.callsAt == nil || world.realms == nil || len(r.objects) != len(r.saved) {
		return nil, errors.New("something is missing in it")
	}
	return world, nil
}

// fields reads a struct. What is not there is zero.
func (r *worldReader) fields(raw json.RawMessage, v reflect.Value) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	for _, i := range savedFields(v.Type()) {
		name, field := v.Type().Field(i).Name, open(v.Field(i))
		if field.Type() == cloudType {
			field.Set(reflect.ValueOf(r.c))
		} else if text, there := given[name]; there {
			if err := r.value(text, field); err != nil {
				return fmt.Errorf("%s of %s: %w", name, v.Type().Name(), err)
			}
		}
		delete(given, name)
	}
	for name := range given {
		return fmt.Errorf("%s has no field %s", v.Type().Name(), name)
	}
	return nil
}

// value reads anything.
func (r *worldReader) value(raw json.RawMessage, v reflect.Value) error {
	t := v.Type()
	switch {
	case t == timeType:
		return r.time(raw, v)
	case t == durationType:
		return readSavedDuration(raw, v)
	case t == pcgType:
		return readPCG(raw, v)
	case slices.Contains(atomicTypes, t):
		return readAtomic(raw, v)
	case isText(t), t == bytesType, slices.Contains(plainKinds, t.Kind()):
		return json.Unmarshal(raw, v.Addr().Interface())
	}
	if bytes.Equal(raw, []byte("null")) {
		return nil // v is zero
	}
	return r.composite(raw, v)
}

// composite reads what is made of other values.
func (r *worldReader) composite(raw json.RawMessage, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		return r.pointer(raw, v)
	case reflect.Struct:
		return r.fields(raw, v)
	case reflect.Slice:
		return r.slice(raw, v)
	case reflect.Map:
		return r.table(raw, v)
	case reflect.Interface:
		return r.implementation(raw, v)
	}
	return fmt.Errorf("a %s cannot be read", v.Type())
}

func (r *worldReader) time(raw json.RawMessage, v reflect.Value) error {
	var at time.Time
	if err := json.Unmarshal(raw, &at); err != nil {
		return err
	}
	if !at.IsZero() {
		at = at.Add(r.shift)
	}
	v.Set(reflect.ValueOf(at))
	return nil
}

func readSavedDuration(raw json.RawMessage, v reflect.Value) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	v.SetInt(int64(d))
	return err
}

func readPCG(raw json.RawMessage, v reflect.Value) error {
	var state []byte
	if err := json.Unmarshal(raw, &state); err != nil {
		return err
	}
	return v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
}

func readAtomic(raw json.RawMessage, v reflect.Value) (err error) {
	switch a := v.Addr().Interface().(type) {
	case *atomic.Bool:
		var b bool
		err = json.Unmarshal(raw, &b)
		a.Store(b)
	case *atomic.Int64:
		var n int64
		err = json.Unmarshal(raw, &n)
		a.Store(n)
	case *atomic.Uint64:
		var n uint64
		err = json.Unmarshal(raw, &n)
		a.Store(n)
	}
	return err
}

func (r *worldReader) pointer(raw json.RawMessage, v reflect.Value) error {
	t := v.Type().Elem()
	if !isObject(t) {
		v.Set(reflect.New(t))
		return r.value(raw, v.Elem())
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return err
	}
	place, err := r.place(name)
	if err != nil {
		return err
	}
	if place.Type() != t {
		return fmt.Errorf("%s is a %s and no %s", name, place.Type().Name(), t.Name())
	}
	v.Set(place.Addr())
	return nil
}

// place is where the object of that name is, or the part of one: "loadBalancer#1.balancer".
func (r *worldReader) place(name string) (reflect.Value, error) {
	whole, path, isPart := strings.Cut(name, ".")
	o, known := r.objects[whole]
	if !known {
		kind, _, _ := strings.Cut(whole, "#")
		t := survey().objects[kind]
		if _, there := r.saved[whole]; !there || t == nil {
			return reflect.Value{}, fmt.Errorf("there is no %s", whole)
		}
		o = reflect.New(t)
		r.objects[whole] = o
		r.order = append(r.order, whole)
	}
	at := o.Elem()
	if !isPart {
		return at, nil
	}
	for step := range strings.SplitSeq(path, ".") {
		if at.Kind() != reflect.Struct || !at.FieldByName(step).IsValid() {
			return reflect.Value{}, fmt.Errorf("there is no %s", name)
		}
		at = open(at.FieldByName(step))
	}
	return at, nil
}

func (r *worldReader) slice(raw json.RawMessage, v reflect.Value) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), len(elements), len(elements)))
	for i, text := range elements {
		if err := r.value(text, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *worldReader) table(raw json.RawMessage, v reflect.Value) error {
	pairs, err := readPairs(raw, v.Type().Key().Kind() == reflect.String)
	if err != nil {
		return err
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(pairs)))
	for _, pair := range pairs {
		key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := r.value(pair[0], key); err != nil {
			return err
		}
		if err := r.value(pair[1], element); err != nil {
			return err
		}
		v.SetMapIndex(key, element)
	}
	return nil
}

// readPairs reads both ways in which a map is written.
func readPairs(raw json.RawMessage, byText bool) (pairs [][2]json.RawMessage, err error) {
	if !byText {
		err = json.Unmarshal(raw, &pairs)
		return pairs, err
	}
	var named map[string]json.RawMessage
	err = json.Unmarshal(raw, &named)
	for name, element := range named {
		key, _ := json.Marshal(name) // a text always marshals
		pairs = append(pairs, [2]json.RawMessage{key, element})
	}
	return pairs, err
}

func (r *worldReader) implementation(raw json.RawMessage, v reflect.Value) error {
	var inside struct {
		Type   string
		Fields json.RawMessage
	}
	if err := json.Unmarshal(raw, &inside); err != nil {
		return err
	}
	t := implementations[inside.Type]
	if t == nil || !t.Implements(v.Type()) {
		return fmt.Errorf("there is no %s that is a %s", inside.Type, v.Type().Name())
	}
	place := reflect.New(t).Elem()
	if err := r.fields(inside.Fields, place); err != nil {
		return err
	}
	v.Set(place)
	return nil
}
