package localaws

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// KnobSetting is one knob as text: for flags, files and people.
type KnobSetting struct {
	// Name is that of the field, such as PendingMin or Balancers.HealthLag.
	Name string
	// Value is a time such as 5s, a span of times such as 0s..30s, true or false, a number, or a word.
	Value string
}

// Settings are all knobs, in the order of their fields.
func (k Knobs) Settings() []KnobSetting {
	var out []KnobSetting
	eachKnob(reflect.ValueOf(&k).Elem(), "", func(name string, knob reflect.Value) {
		out = append(out, KnobSetting{name, writeKnob(knob)})
	})
	return out
}

// Set changes a knob by its name, whatever its case, with dashes or without: Balancers.HealthLag, healthlag or health-lag. Its
// error lists the names.
func (k *Knobs) Set(name, value string) error {
	names, err := []string(nil), error(nil)
	found := false
	eachKnob(reflect.ValueOf(k).Elem(), "", func(known string, knob reflect.Value) {
		names = append(names, known)
		if !found && namesKnob(name, known) {
			found = true
			if err = readKnob(knob, value); err != nil {
				err = fmt.Errorf("knob %s=%s: %w", known, value, err)
			}
		}
	})
	if !found {
		return fmt.Errorf("there is no knob %s; there are %s", name, strings.Join(names, ", "))
	}
	return err
}

// namesKnob tells whether a person who writes name means that knob.
func namesKnob(name, knob string) bool {
	_, short, _ := strings.Cut(knob, ".")
	return knobKey(knob) == knobKey(name) || short != "" && knobKey(short) == knobKey(name)
}

func knobKey(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

var spanType = reflect.TypeFor[Span]()

// eachKnob visits the fields, and those of the structs among them.
func eachKnob(v reflect.Value, prefix string, visit func(name string, knob reflect.Value)) {
	for i := range v.NumField() {
		name, field := prefix+v.Type().Field(i).Name, v.Field(i)
		if field.Kind() == reflect.Struct && field.Type() != spanType {
			eachKnob(field, name+".", visit)
		} else {
			visit(name, field)
		}
	}
}

func writeKnob(v reflect.Value) string {
	if span, ok := reflect.TypeAssert[Span](v); ok {
		return span.Min.String() + ".." + span.Max.String()
	}
	return fmt.Sprint(v.Interface())
}

func readKnob(v reflect.Value, text string) error {
	switch {
	case v.Type() == durationType:
		d, err := readKnobTime(text)
		v.SetInt(int64(d))
		return err
	case v.Type() == spanType:
		return readSpan(v.Addr().Interface().(*Span), text)
	}
	var err error
	switch v.Kind() {
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("it is true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("it is a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("it is a number")
		}
		v.SetFloat(f)
	case reflect.String:
		v.SetString(text)
	default:
		return fmt.Errorf("it cannot be set by text")
	}
	return nil
}

func readKnobTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("it is a time such as 5s, 2m or 0s")
	}
	return d, nil
}

// readSpan reads 5s..30s; 5s alone is 5s..5s.
func readSpan(s *Span, text string) error {
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	lo, err := readKnobTime(from)
	if err == nil {
		s.Max, err = readKnobTime(to)
	}
	if err != nil || lo > s.Max {
		return fmt.Errorf("it is a span of times such as 5s..30s, or one time")
	}
	s.Min = lo
	return nil
}

// Knobs are the present ones.
func (c *Cloud) Knobs() Knobs {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.knobs
}

// TuneByName changes knobs by their names, all of them or, where one is wrong, none: see Knobs.Set.
func (c *Cloud) TuneByName(settings ...KnobSetting) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.knobs
	for _, s := range settings {
		if err := changed.Set(s.Name, s.Value); err != nil {
			return err
		}
	}
	before := c.knobs.Settings()
	c.knobs = changed
	for i, now := range changed.Settings() {
		if was := before[i]; was != now {
			c.recordChange(c.realm(c.Realm.key), "knob", now.Name, was.Value, now.Value, askedOutside)
		}
	}
	return nil
}
