package argocd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// sandbox runs a script as Argo CD does (util/lua/lua.go): without the open libraries where the script comes from argocd-cm, with
// them where it is built in; for at most a second; with obj and actionParams; and with numbers that are float64.
type sandbox struct {
	openLibs bool
	now      time.Time
}

// sandboxes are both, at the time of the worlds.
func sandboxes(now time.Time) map[string]sandbox {
	return map[string]sandbox{"argocd-cm": {false, now}, "built in": {true, now}}
}

var errNoTable = errors.New("the script gives no table")

// run gives what the script returns, as JSON.
func (s sandbox) run(script string, obj map[string]any, params map[string]string) ([]byte, error) {
	l := lua.NewState(lua.Options{SkipOpenLibs: !s.openLibs})
	defer l.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	s.clock(l)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	given := l.NewTable()
	for name, value := range params {
		given.RawSetString(name, lua.LString(value))
	}
	l.SetGlobal("actionParams", given)
	l.SetGlobal("obj", value(l, obj))
	if err := l.DoString(script); err != nil {
		return nil, err
	}
	if l.Get(-1).Type() != lua.LTTable {
		return nil, errNoTable
	}
	return luajson.Encode(l.Get(-1))
}

// clock gives the script the time of the test. Argo CD's own os has time and date alone; date with a time is in local time there, even
// after "!", and in UTC in the one that built-in scripts get.
func (s sandbox) clock(l *lua.LState) {
	functions := map[string]lua.LGFunction{
		"time": func(l *lua.LState) int {
			at := s.now
			if l.GetTop() > 0 {
				field := func(name string) int { return int(lua.LVAsNumber(l.CheckTable(1).RawGetString(name))) }
				at = time.Date(field("year"), time.Month(field("month")), field("day"), field("hour"), field("min"), field("sec"), 0, s.now.Location())
			}
			l.Push(lua.LNumber(at.Unix()))
			return 1
		},
		"date": func(l *lua.LState) int {
			at, format := s.now, l.CheckString(1)
			utc := format[0] == '!'
			if utc {
				at, format = at.UTC(), format[1:]
			}
			if l.GetTop() > 1 {
				at = time.Unix(l.CheckInt64(2), 0).In(s.now.Location())
				if utc && s.openLibs {
					at = at.UTC()
				}
			}
			l.Push(dated(l, at, format))
			return 1
		},
	}
	l.PreloadModule(lua.OsLibName, func(l *lua.LState) int {
		l.Push(l.SetFuncs(l.NewTable(), functions))
		return 1
	})
	if s.openLibs { // it is loaded already, and require gives that one
		for name, function := range functions {
			l.SetField(l.GetGlobal(lua.OsLibName), name, l.NewFunction(function))
		}
	}
}

func dated(l *lua.LState, at time.Time, format string) lua.LValue {
	switch format {
	case "*t":
		table := l.NewTable()
		for name, n := range map[string]int{
			"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "hour": at.Hour(), "min": at.Minute(), "sec": at.Second(),
		} {
			table.RawSetString(name, lua.LNumber(n))
		}
		return table
	case "%Y-%m-%dT%H:%M:%SZ":
		return lua.LString(at.Format("2006-01-02T15:04:05Z"))
	}
	l.RaiseError("the test knows no format %s", format)
	return lua.LNil
}

// value is a value of an object in Lua.
func value(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case int64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		list := l.CreateTable(len(v), 0)
		for _, item := range v {
			list.Append(value(l, item))
		}
		return list
	case map[string]any:
		table := l.CreateTable(0, len(v))
		for key, item := range v {
			table.RawSetString(key, value(l, item))
		}
		return table
	}
	return lua.LNil
}

// health is what Argo CD shows.
type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// health runs health.lua. What is being deleted is judged by Argo CD itself.
func (s sandbox) health(script string, obj map[string]any) (health, error) {
	if deleted, _ := obj["metadata"].(map[string]any)["deletionTimestamp"].(string); deleted != "" {
		return health{"Progressing", "Pending deletion"}, nil
	}
	written, err := s.run(script, obj, nil)
	if err != nil {
		return health{}, err
	}
	var h health
	if err := json.Unmarshal(written, &h); err != nil {
		return health{}, err
	}
	switch h.Status {
	case "Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing":
		return h, nil
	}
	return health{}, fmt.Errorf("%q is no status of Argo CD", h.Status)
}

// action is one that Argo CD offers.
type action struct {
	Name        string  `json:"name"`
	Disabled    bool    `json:"disabled,omitempty"`
	DisplayName string  `json:"displayName,omitempty"`
	IconClass   string  `json:"iconClass,omitempty"`
	Params      []param `json:"params,omitempty"`
}

type param struct {
	Name string `json:"name"`
}

// discover runs discovery.lua.
func (s sandbox) discover(script string, obj map[string]any) (map[string]action, error) {
	written, err := s.run(script, obj, nil)
	if err != nil {
		return nil, err
	}
	all := map[string]action{}
	if err := json.Unmarshal(written, &all); err != nil {
		return nil, err
	}
	for name, a := range all {
		a.Name = name
		all[name] = a
	}
	return all, nil
}

// act runs an action.lua, and gives the object that comes of it.
func (s sandbox) act(script string, obj map[string]any, params map[string]string) (map[string]any, error) {
	written, err := s.run(script, obj, params)
	if err != nil {
		return nil, err
	}
	var changed map[string]any
	if err := json.Unmarshal(written, &changed); err != nil {
		return nil, err
	}
	repaired, _ := repair(changed, obj).(map[string]any)
	return repaired, nil
}

// repair gives back what was an empty object, and came out of Lua as an empty list, as cleanReturnedObj does.
func repair(changed, before any) any {
	switch now := changed.(type) {
	case map[string]any:
		if was, ok := before.(map[string]any); ok {
			for key, old := range was {
				if item, kept := now[key]; kept {
					now[key] = repair(item, old)
				}
			}
		}
	case []any:
		switch was := before.(type) {
		case map[string]any:
			if len(now) == 0 {
				return was
			}
		case []any:
			for i := range min(len(now), len(was)) {
				now[i] = repair(now[i], was[i])
			}
		}
	}
	return changed
}

// The sandbox is as narrow as Argo CD's: what a script must not rely on is not there.
func TestSandboxHasNoOpenLibraries(t *testing.T) {
	for script, want := range map[string]map[string]bool{
		`return {string.format("x")}`:        {"argocd-cm": false, "built in": true},
		`return {math.floor(1.5)}`:           {"argocd-cm": false, "built in": true},
		`return {("x"):len()}`:               {"argocd-cm": false, "built in": true},
		`local os = require("os") return {}`: {"argocd-cm": true, "built in": true},
		`return {os.time()}`:                 {"argocd-cm": false, "built in": true},
		`table.insert({}, 1) return {}`:      {"argocd-cm": true, "built in": true},
		`while true do end`:                  {"argocd-cm": false, "built in": false},
		`return "text"`:                      {"argocd-cm": false, "built in": false},
	} {
		for mode, box := range sandboxes(time.Now()) {
			if _, err := box.run(script, map[string]any{}, nil); (err == nil) != want[mode] {
				t.Errorf("%s, %s: %v", mode, script, err)
			}
		}
	}
}
