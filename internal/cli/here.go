package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// A command that is advised is typed without the flags that this one was given, and would be about another cluster, where the same Release may
// be the one that customers see. So what people are told has these flags in it. What programs read of a Release is passed on as it is.

// advised are the commands in a text: those of this program that speak with a cluster, and kubectl's own.
var advised = regexp.MustCompile(`\bkubectl (slipway [a-z-]+|(-n|get|annotate|patch|delete|describe|edit|cluster-info)\b)`)

// deploying are the Makefile's commands that change a cluster, and Helm's.
var deploying = regexp.MustCompile(`\b(make (undeploy|uninstall)|helm uninstall slipway)\b`)

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// connection are the flags that say which cluster this command is about; none where the shell's own settings do.
func (o *Options) connection() string {
	var words []string
	for _, f := range []struct {
		name  string
		value *string
	}{
		{"kubeconfig", o.Flags.KubeConfig}, {"context", o.Flags.Context}, {"cluster", o.Flags.ClusterName}, {"user", o.Flags.AuthInfoName},
		{"server", o.Flags.APIServer},
	} {
		if f.value == nil || *f.value == "" {
			continue
		}
		words = append(words, fmt.Sprintf("--%s=%s", f.name, quoted(*f.value)))
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// here is a text with the connection in the commands that it advises.
func (o *Options) here(text string) string {
	flags := o.connection()
	if flags == "" {
		return text
	}
	text = deploying.ReplaceAllStringFunc(text, func(command string) string {
		if strings.HasPrefix(command, "helm") {
			return command + strings.NewReplacer(" --context=", " --kube-context=").Replace(" "+flags)
		}
		return command + " KUBECTL=" + quoted("kubectl "+flags)
	})
	return advised.ReplaceAllStringFunc(text, func(command string) string {
		rest := strings.TrimPrefix(command, "kubectl ")
		switch {
		case rest == "slipway local":
			return command
		case strings.HasPrefix(rest, "slipway "): // kubectl takes no flags before a plugin's name
			return command + " " + flags
		}
		return "kubectl " + flags + " " + rest
	})
}

// tell writes lines for people.
func (o *Options) tell(lines []string) error {
	told := make([]string, len(lines))
	for i, line := range lines {
		told[i] = o.here(line)
	}
	return writeLines(o.Out, told)
}

// located is an error whose advice is about the same cluster.
type located struct {
	err error
	o   *Options
}

func (e located) Error() string { return e.o.here(e.err.Error()) }

func (e located) Unwrap() error { return e.err }

// locate has a command, and those below it, fail with such errors.
func (o *Options) locate(cmd *cobra.Command) *cobra.Command {
	for _, below := range cmd.Commands() {
		o.locate(below)
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return located{err, o}
			}
			return nil
		}
	}
	return cmd
}
