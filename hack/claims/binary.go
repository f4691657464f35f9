package main

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/hack/overlay"
)

// One compilation serves nearly all switches: the test binary has each changed function beside the one that it stands for, and each
// changed variable's value, and the environment says which of them it takes. What cannot be had so, such as a changed type or
// constant, is compiled by itself.

// variable names the switch that a run of the binary takes.
const variable = "CLAIM"

// switchFile is added to the package.
const switchFile = `package localaws

import "os"

var claimed = os.Getenv("` + variable + `")

func claim[T any](id string, on, off T) T {
	if claimed == id {
		return on
	}
	return off
}
`

// part is a function or the value of a variable, by its name in a file.
type part struct {
	text     string // of the function, or of the value
	function *ast.FuncDecl
	from, to int // in the file
	name     int // where the function's name begins in its text
}

// partsOf are the functions and variables of a file that can be switched, and what is left without them.
func partsOf(text []byte) (parts map[string]part, rest string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, "", err
	}
	at := func(p token.Pos) int { return files.Position(p).Offset }
	parts = map[string]part{}
	last, left := 0, ""
	add := func(name string, p part) {
		p.text = string(text[p.from:p.to])
		parts[name] = p
		left += string(text[last:p.from])
		last = p.to
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			from := at(d.Pos())
			add(nameOf(d, text, at), part{function: d, from: from, to: at(d.End()), name: at(d.Name.Pos()) - from})
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR && len(v.Names) == 1 && len(v.Values) == 1 {
					add("var "+v.Names[0].Name, part{from: at(v.Values[0].Pos()), to: at(v.Values[0].End())})
				}
			}
		}
	}
	return parts, left + string(text[last:]), nil
}

// nameOf tells methods of different types apart.
func nameOf(f *ast.FuncDecl, text []byte, at func(token.Pos) int) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return string(text[at(f.Recv.Pos()):at(f.Recv.End())]) + f.Name.Name
}

// variant is an edit in the form of the one part that it changes.
type variant struct {
	edit
	id   string
	of   string // the part
	part part   // as the edit leaves it
}

// variantOf finds the one part that an edit changes; ok is false where it changes more or something else.
func (e edit) variantOf(before []byte, id string) (v variant, ok bool) {
	after, err := e.changed()
	if err != nil {
		return v, false
	}
	old, oldRest, err := partsOf(before)
	if err != nil {
		return v, false
	}
	parts, rest, err := partsOf(after)
	if err != nil || rest != oldRest || len(parts) != len(old) {
		return v, false
	}
	for name, p := range parts {
		if p.text == old[name].text {
			continue
		}
		if v.id != "" || p.function != nil && !callable(p.function) {
			return v, false
		}
		v = variant{edit: e, id: id, of: name, part: p}
	}
	return v, v.id != ""
}

// callable says whether the function can be called with its own parameters, all of which need names for that.
func callable(f *ast.FuncDecl) bool {
	fields := slices.Clone(f.Type.Params.List)
	if f.Recv != nil {
		fields = append(fields, f.Recv.List...)
	}
	return !slices.ContainsFunc(fields, func(p *ast.Field) bool {
		return len(p.Names) == 0 || slices.ContainsFunc(p.Names, func(n *ast.Ident) bool { return n.Name == "_" })
	})
}

// dispatch is the line that leaves for the variant, at the beginning of the function.
func (v variant) dispatch() string {
	f, arguments := v.part.function, []string{}
	for _, p := range f.Type.Params.List {
		for _, n := range p.Names {
			name := n.Name
			if _, variadic := p.Type.(*ast.Ellipsis); variadic {
				name += "..."
			}
			arguments = append(arguments, name)
		}
	}
	call := v.name() + "(" + strings.Join(arguments, ", ") + ")"
	if f.Recv != nil {
		call = f.Recv.List[0].Names[0].Name + "." + call
	}
	if f.Type.Results == nil {
		call += "; return"
	} else {
		call = "return " + call
	}
	return fmt.Sprintf(" if claimed == %q { %s };", v.id, call)
}

func (v variant) name() string { return v.part.function.Name.Name + "Claim" + v.id }

// declaration is the changed function under its own name. What the compiler says of it has the edit's number as the file.
func (v variant) declaration() string {
	end := v.part.name + len(v.part.function.Name.Name)
	return "\n//line claim-" + v.id + ":1\n" + v.part.text[:v.part.name] + v.name() + v.part.text[end:] + "\n"
}

// withVariants is the text of a file that has all variants in it.
func withVariants(text []byte, variants []variant) ([]byte, error) {
	parts, _, err := partsOf(text)
	if err != nil {
		return nil, err
	}
	type insertion struct {
		at   int
		text string
	}
	var all []insertion
	var tail strings.Builder
	for _, v := range variants {
		p := parts[v.of]
		if p.function == nil {
			all = append(all, insertion{p.from, fmt.Sprintf("claim(%q, %s, ", v.id, v.part.text)}, insertion{p.to, ")"})
			continue
		}
		all = append(all, insertion{int(p.function.Body.Lbrace), v.dispatch()}) // a position counts from 1: behind the brace
		tail.WriteString(v.declaration())
	}
	slices.SortStableFunc(all, func(a, b insertion) int { return a.at - b.at })
	var out bytes.Buffer
	last := 0
	for _, i := range all {
		out.Write(text[last:i.at])
		out.WriteString(i.text)
		last = i.at
	}
	out.Write(text[last:])
	out.WriteString(tail.String())
	return out.Bytes(), nil
}

// binary is a test binary in which edits can be switched on.
type binary struct {
	dir      string
	path     string               // of the executable
	variants map[string][]variant // by the file that they are of
	broken   map[string]string    // what the compiler says of an edit, by its id
}

// build compiles the binary. Edits that do not compile are left out of it.
func build(ctx context.Context, edits []edit) (*binary, error) {
	dir, err := os.MkdirTemp("", "claims-")
	if err != nil {
		return nil, err
	}
	b := &binary{dir: dir, path: filepath.Join(dir, "claims.test"), variants: map[string][]variant{}, broken: map[string]string{}}
	for i, e := range edits {
		before, err := os.ReadFile(filepath.Join(code, e.file))
		if err != nil {
			return b, err
		}
		if v, ok := e.variantOf(before, strconv.Itoa(i)); ok {
			b.variants[e.file] = append(b.variants[e.file], v)
		}
	}
	for {
		out, err := b.compile(ctx)
		if err == nil {
			return b, b.sound(ctx, edits)
		}
		if !b.drop(out) {
			return b, fmt.Errorf("compile all switches: %w: %s", err, overlay.LastLines(out))
		}
	}
}

func (b *binary) compile(ctx context.Context) (out []byte, err error) {
	replaced := map[string][]byte{filepath.Join(code, "claims_switch.go"): []byte(switchFile)}
	for file, variants := range b.variants {
		path := filepath.Join(code, file)
		before, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if replaced[path], err = withVariants(before, variants); err != nil {
			return nil, err
		}
	}
	file, err := overlay.Write(b.dir, replaced)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "go", "test", "-c", "-o", b.path, "-overlay", file, "-vet=off", "-gcflags=-e", "./"+code).CombinedOutput()
}

// mistake is what the compiler says of a variant.
var mistake = regexp.MustCompile(`(?m)claim-(\d+):\d+(?::\d+)?: (.*)$`)

// drop leaves out the variants that the compiler complains of.
func (b *binary) drop(out []byte) bool {
	found := mistake.FindAllSubmatch(out, -1)
	for _, m := range found {
		id := string(m[1])
		b.broken[id] = string(m[2])
		for file, list := range b.variants {
			b.variants[file] = slices.DeleteFunc(list, func(v variant) bool { return v.id == id })
		}
	}
	return len(found) > 0
}

// try runs the tests of an edit with it switched on, in the binary if it is in there.
func (b *binary) try(ctx context.Context, e edit, id string) string {
	if said := b.broken[id]; said != "" {
		return "DOES NOT COMPILE: " + said
	}
	if !slices.ContainsFunc(b.variants[e.file], func(v variant) bool { return v.id == id }) {
		return e.try(ctx)
	}
	return verdict(b.run(ctx, id, e.tests))
}

// run runs tests with one switch on.
func (b *binary) run(ctx context.Context, id string, tests []string) (out []byte, err error) {
	run := exec.CommandContext(ctx, b.path, "-test.count=1", "-test.timeout=10m", "-test.run", pattern(tests))
	run.Dir, run.Env = code, append(os.Environ(), variable+"="+id)
	return run.CombinedOutput()
}

// sound makes sure that the tests of all edits pass with every switch off.
func (b *binary) sound(ctx context.Context, edits []edit) error {
	var tests []string
	for _, e := range edits {
		tests = append(tests, e.tests...)
	}
	slices.Sort(tests)
	if out, err := b.run(ctx, "none", slices.Compact(tests)); err != nil {
		return fmt.Errorf("the tests fail with nothing switched off: %w: %s", err, overlay.LastLines(out))
	}
	return nil
}

func (b *binary) remove() { _ = os.RemoveAll(b.dir) } // a folder in the system's own place for such
