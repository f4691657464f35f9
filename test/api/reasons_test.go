package api_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"slipway.dev/slipway/internal/rollout"
)

// constant is a string constant of a package: its name, value and comment.
type constant struct{ name, value, comment string }

// constants reads the string constants of some files whose names start with a prefix.
func constants(glob, prefix string) []constant {
	GinkgoHelper()
	files, err := filepath.Glob(glob)
	Expect(err).NotTo(HaveOccurred())
	var out []constant
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		Expect(err).NotTo(HaveOccurred())
		out = append(out, constantsOf(parsed, prefix)...)
	}
	Expect(out).NotTo(BeEmpty())
	return out
}

func constantsOf(file *ast.File, prefix string) []constant {
	GinkgoHelper()
	var out []constant
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) == 0 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		Expect(ok).To(BeTrue(), "%s is a literal", spec.Names[0].Name)
		value, err := strconv.Unquote(literal.Value)
		Expect(err).NotTo(HaveOccurred())
		out = append(out, constant{spec.Names[0].Name, value, strings.Join(strings.Fields(spec.Doc.Text()), " ")})
		return true
	})
	return out
}

const (
	documented = "../../api/v1alpha1/conditions.go"
	core       = "../../internal/rollout/*.go"
)

var _ = Describe("The words of conditions", func() {
	It("have a sentence that says when they surface", func() {
		for _, word := range append(constants(documented, "Reason"), constants(documented, "Condition")...) {
			Expect(word.comment).To(HavePrefix(word.name + " surfaces "))
			Expect(word.comment).To(HaveSuffix("."), word.name)
		}
	})

	It("are called what they are", func() {
		for _, word := range constants(documented, "Reason") {
			Expect(word.name).To(Equal("Reason" + word.value))
		}
	})

	It("are documented, each that the core uses", func() {
		Expect(values(documented, "Reason")).To(ContainElements(values(core, "Reason")))
		Expect(values(documented, "Condition")).To(ConsistOf(values(core, "Cond")))
	})

	It("give the rules of the effective phase the core's names", func() {
		Expect(values("../../api/v1alpha1/*.go", "EffectiveBy")).To(ConsistOf(values(core, "Rule")))
	})

	It("explain every state in which a server is shown as unhealthy", func() {
		var shown []string
		for _, state := range values(core, "Member") {
			if state != string(rollout.MemberHealthy) && state != string(rollout.MemberDraining) {
				shown = append(shown, state)
			}
		}
		Expect(description("status.pools[].unhealthy[].state")).To(HavePrefix("state is " + strings.Join(shown, ", or ") + " "))
	})

	It("name what pools are for as the core does", func() {
		uses := values("../../api/v1alpha1/*.go", "PoolRole")
		Expect(uses).To(ConsistOf(values(core, "Use")))
		for _, use := range uses {
			Expect(description("status.pools[].role")).To(ContainSubstring(use))
		}
	})

	It("explain every stage of the core", func(ctx context.Context) {
		manual := manual(ctx, "rel.status.stage")
		for _, stage := range values(core, "Stage") {
			Expect(manual).To(ContainSubstring(stage + ": "))
		}
	})
})

// description is the entry of a field of Release in the manual, in one line.
func description(path string) string {
	GinkgoHelper()
	for _, field := range fields(definition("slipway.dev_releases.yaml")) {
		if field.path == path {
			return strings.Join(strings.Fields(field.Description), " ")
		}
	}
	Fail("there is no field " + path)
	return ""
}

// values are the values of constants.
func values(glob, prefix string) []string {
	GinkgoHelper()
	var out []string
	for _, constant := range constants(glob, prefix) {
		out = append(out, constant.value)
	}
	return out
}
