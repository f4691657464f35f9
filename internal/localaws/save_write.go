package localaws

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// object is something that has an identity: it is written once, and pointers to it as its name.
type object struct {
	value reflect.Value
	name  string // "instance#3"; made when all are known
	// owner is set where the object is part of another one: its name is then the owner's and the path in it.
	owner *object
	path  string
	body  any
}

// MarshalText is the name, which pointers are written as.
func (o *object) MarshalText() ([]byte, error) {
	if o.owner == nil {
		return []byte(o.name), nil
	}
	name, err := o.owner.MarshalText()
	return append(name, "."+o.path...), err
}

// objectKey tells objects apart: the first part of a struct has the address of the whole.
type objectKey struct {
	at unsafe.Pointer
	t  reflect.Type
}

// worldWriter turns a graph of structs into a tree.
type worldWriter struct {
	objects map[objectKey]*object
	order   []*object // as they were met; their bodies are written in this order
}

// writeWorld gives the roots of the world and, by name, all that they lead to. Called with Cloud.mu held.
func writeWorld(c *Cloud) (roots json.RawMessage, objects map[string]json.RawMessage, err error) {
	w := &worldWriter{objects: map[objectKey]*object{}}
	tree, err := w.fields(reflect.ValueOf(c).Elem(), nil, "")
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(w.order); i++ { // it grows on the way
		o := w.order[i]
		if o.body, err = w.fields(o.value, o, ""); err != nil {
			return nil, nil, err
		}
	}
	count := map[string]int{}
	for _, o := range w.order {
		if o.owner == nil {
			kind := o.value.Type().Name()
			count[kind]++
			o.name = fmt.Sprintf("%s#%d", kind, count[kind])
		}
	}
	if roots, err = json.Marshal(tree); err != nil {
		return nil, nil, err
	}
	objects = map[string]json.RawMessage{}
	for _, o := range w.order {
		if o.owner == nil {
			if objects[o.name], err = json.Marshal(o.body); err != nil {
				return nil, nil, err
			}
		}
	}
	return roots, objects, nil
}

// find is the object at a place, new or known.
func (w *worldWriter) find(v reflect.Value) (o *object, known bool) {
	key := objectKey{v.Addr().UnsafePointer(), v.Type()}
	if o, known = w.objects[key]; !known {
		o = &object{value: v}
		w.objects[key] = o
	}
	return o, known
}

// fields writes a struct. Fields that are zero are left away. Of an object its parts are noted, since they may be pointed to.
func (w *worldWriter) fields(v reflect.Value, of *object, path string) (map[string]any, error) {
	out := map[string]any{}
	for _, i := range savedFields(v.Type()) {
		name, field := v.Type().Field(i).Name, open(v.Field(i))
		var err error
		if field.Type() == cloudType {
			continue // whoever reads it has one
		}
		if isObject(field.Type()) {
			out[name], err = w.part(field, of, strings.TrimPrefix(path+"."+name, "."))
		} else if !field.IsZero() {
			out[name], err = w.value(field)
		}
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", name, v.Type().Name(), err)
		}
	}
	return out, nil
}

// part writes a struct inside of another one.
func (w *worldWriter) part(v reflect.Value, of *object, path string) (any, error) {
	if of != nil {
		o, _ := w.find(v)
		o.owner, o.path = of, path
	}
	return w.fields(v, of, path)
}

// value writes anything but the fields of a struct.
func (w *worldWriter) value(v reflect.Value) (any, error) {
	t := v.Type()
	switch {
	case t == timeType:
		return v.Interface().(time.Time).UTC().Format(time.RFC3339Nano), nil
	case t == durationType:
		return v.Interface().(time.Duration).String(), nil
	case t == pcgType, isText(t), t == bytesType, slices.Contains(plainKinds, t.Kind()):
		return plainValue(v)
	case slices.Contains(atomicTypes, t):
		return atomicValue(v), nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.pointer(v)
	case reflect.Struct:
		return w.fields(addressable(v), nil, "")
	case reflect.Slice:
		return w.slice(v)
	case reflect.Map:
		return w.table(v)
	case reflect.Interface:
		return w.implementation(v)
	}
	return nil, fmt.Errorf("a %s cannot be saved", t)
}

func plainValue(v reflect.Value) (any, error) {
	if v.Type() == pcgType {
		return v.Addr().Interface().(encoding.BinaryMarshaler).MarshalBinary()
	}
	return v.Interface(), nil
}

func atomicValue(v reflect.Value) any {
	switch a := v.Addr().Interface().(type) {
	case *atomic.Bool:
		return a.Load()
	case *atomic.Int64:
		return a.Load()
	case *atomic.Uint64:
		return a.Load()
	}
	return nil
}

// addressable is the value, or a copy of it, in a place.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	place := reflect.New(v.Type()).Elem()
	place.Set(v)
	return place
}

// pointer writes the name of an object; of anything else a pointer only says that it may be missing.
func (w *worldWriter) pointer(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	if !isObject(v.Type().Elem()) {
		return w.value(v.Elem())
	}
	o, known := w.find(v.Elem())
	if !known {
		w.order = append(w.order, o)
	}
	return o, nil
}

func (w *worldWriter) slice(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	out := make([]any, v.Len())
	var err error
	for i := range out {
		if out[i], err = w.value(v.Index(i)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// table writes a map: as an object by text, or as a list of pairs.
func (w *worldWriter) table(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	keys := sortedKeys(v)
	pairs, byText := make([][2]any, len(keys)), map[string]any{}
	for i, key := range keys {
		k, err := w.value(key)
		if err != nil {
			return nil, err
		}
		element, err := w.value(v.MapIndex(key))
		if err != nil {
			return nil, err
		}
		pairs[i] = [2]any{k, element}
		if key.Kind() == reflect.String {
			byText[key.String()] = element
		}
	}
	if v.Type().Key().Kind() == reflect.String {
		return byText, nil
	}
	return pairs, nil
}

// sortedKeys are the keys of a map by what they say; there are no pointers in them.
func sortedKeys(v reflect.Value) []reflect.Value {
	type said struct {
		text string
		key  reflect.Value
	}
	all := make([]said, 0, v.Len())
	for _, key := range v.MapKeys() {
		all = append(all, said{fmt.Sprintf("%020v", key), key})
	}
	slices.SortFunc(all, func(a, b said) int { return strings.Compare(a.text, b.text) })
	out := make([]reflect.Value, len(all))
	for i, s := range all {
		out[i] = s.key
	}
	return out
}

// implementation writes what is behind an interface, with its type.
func (w *worldWriter) implementation(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	inside := v.Elem()
	name := inside.Type().Name()
	if implementations[name] != inside.Type() {
		return nil, fmt.Errorf("a %s cannot be saved: it is not among the implementations", inside.Type())
	}
	fields, err := w.fields(addressable(inside), nil, "")
	return map[string]any{"type": name, "fields": fields}, err
}
