package localaws

import (
	_ "embed" // for the sources of the knobs
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"sync"
)

// The comments of the fields are the manual of the knobs, for people who have no source at hand.
var (
	//go:embed knobs.go
	knobsSource string
	//go:embed health.go
	balancerKnobsSource string
	//go:embed elbv2_quotas.go
	quotasSource string
	//go:embed events.go
	eventKnobsSource string
)

// KnobMeaning is the full name of a knob and what its comment says of it. The name is read as Knobs.Set reads it.
func KnobMeaning(name string) (full, meaning string, err error) {
	k := DefaultKnobs()
	for _, s := range k.Settings() {
		if namesKnob(name, s.Name) {
			return s.Name, fmt.Sprintf("%s Default: %s.", knobComments()[s.Name], s.Value), nil
		}
	}
	return "", "", k.Set(name, "")
}

// knobComments are the comments of all knobs, each on one line.
var knobComments = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for _, source := range []struct{ text, kind, prefix string }{
		{knobsSource, "Knobs", ""}, {balancerKnobsSource, "BalancerKnobs", "Balancers."},
		{quotasSource, "BalancerQuotas", "Balancers.Quotas."}, {eventKnobsSource, "EventKnobs", "Events."},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", source.text, parser.ParseComments)
		if err != nil {
			panic(err) // this package was compiled from it
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if kind, ok := n.(*ast.TypeSpec); ok && kind.Name.Name == source.kind {
				for _, field := range kind.Type.(*ast.StructType).Fields.List {
					for _, name := range field.Names {
						all[source.prefix+name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
					}
				}
			}
			return true
		})
	}
	return all
})
