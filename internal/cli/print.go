package cli

import (
	"encoding/json"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/yaml"
)

// outputWide is the form of output with more columns; that without a name is for people.
const outputWide = "wide"

// output is the flag -o: kubectl's own forms, of which json, yaml and name are the ones for scripts.
type output struct{ flags *genericclioptions.PrintFlags }

// addOutput declares -o on a command.
func addOutput(cmd *cobra.Command) *output {
	o := &output{genericclioptions.NewPrintFlags("").WithTypeSetter(Scheme())}
	o.flags.AddFlags(cmd)
	if f := cmd.Flags().Lookup("output"); f != nil {
		f.Usage = "json, yaml or name, for scripts; jsonpath=… and the other forms of kubectl; or wide, with more columns"
	}
	return o
}

// forPeople says whether no form for scripts was asked for.
func (o *output) forPeople() bool {
	return *o.flags.OutputFormat == "" || *o.flags.OutputFormat == outputWide
}

// wide says whether more columns were asked for.
func (o *output) wide() bool { return *o.flags.OutputFormat == outputWide }

// print writes an object in the form that was asked for.
func (o *output) print(object runtime.Object, out io.Writer) error {
	printer, err := o.flags.ToPrinter()
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return exitf(ExitUsage, "-o %s: it is json, yaml, name, wide or another form of kubectl", *o.flags.OutputFormat)
	}
	if err != nil {
		return &Exit{Code: ExitUsage, Err: err}
	}
	if *o.flags.OutputFormat != "name" || !meta.IsListType(object) {
		return printer.PrintObj(object, out)
	}
	return meta.EachListItem(object, func(item runtime.Object) error { return printer.PrintObj(item, out) })
}

// answerForms are what -o takes where the answer is no object of the API: kubectl's printers take nothing else.
var answerForms = []string{"json", "yaml"}

// answerForm is the flag -o of a command with such an answer.
type answerForm string

func (f *answerForm) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(f), "output", "o", "", "json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(answerForms, cobra.ShellCompDirectiveNoFileComp))
}

func (f *answerForm) valid() error {
	if *f != "" && !slices.Contains(answerForms, string(*f)) {
		return exitf(ExitUsage, "-o %s: it is json or yaml", *f)
	}
	return nil
}

// write writes an answer: in a form for programs, or as the screen has it.
func (f *answerForm) write(o *Options, answer any, screen func() []string) error {
	var text []byte
	var err error
	switch string(*f) {
	case answerForms[0]:
		if text, err = json.MarshalIndent(answer, "", "  "); err == nil {
			text = append(text, '\n')
		}
	case answerForms[1]:
		text, err = yaml.Marshal(answer)
	default:
		return o.tell(screen())
	}
	if err != nil {
		return err
	}
	_, err = o.Out.Write(text)
	return err
}
