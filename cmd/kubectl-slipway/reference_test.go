package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

var updateReference = flag.Bool("reference", false, "write the reference pages of the command line anew (make generate)")

const referenceFolder = "../../docs/reference/cli"

// documented is the command line as it is described: without what cobra adds for itself, and without what this machine puts into it.
func documented() *cobra.Command {
	root := newRoot()
	root.DisableAutoGenTag = true
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("completion")
	neutral := func(f *pflag.Flag) {
		if home, err := os.UserHomeDir(); err == nil && strings.HasPrefix(f.DefValue, home) {
			f.DefValue = "$HOME" + strings.TrimPrefix(f.DefValue, home)
		}
	}
	root.PersistentFlags().VisitAll(neutral)
	return root
}

// pages are the reference pages by file name. The flags of the connection are on the page of `options` alone.
func pages(t *testing.T) map[string]string {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL", "") // a default of a flag
	t.Setenv("KUBECACHEDIR", "")
	root, all := documented(), map[string]string{}
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" || cmd.IsAdditionalHelpTopicCommand() && cmd != root {
			return
		}
		var page bytes.Buffer
		if err := doc.GenMarkdownCustom(cmd, &page, func(name string) string { return name }); err != nil {
			t.Fatal(err)
		}
		text := page.String()
		if cmd != root && cmd.Name() != "options" {
			before, rest, found := strings.Cut(text, "### Options inherited from parent commands\n")
			if found {
				_, after, _ := strings.Cut(rest, "### SEE ALSO")
				text = before + "The flags of the connection, which all commands take: [kubectl slipway options](kubectl_slipway_options.md).\n\n### SEE ALSO" + after
			}
		}
		all[strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".md"] = text
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	visit(root)
	return all
}

// The pages in docs/reference/cli are what the commands say of themselves.
func TestReference(t *testing.T) {
	want := pages(t)
	if *updateReference {
		if err := os.RemoveAll(referenceFolder); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(referenceFolder, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(referenceFolder, name), []byte(text), 0o644); err != nil { //nolint:gosec // a page of the docs
				t.Fatal(err)
			}
		}
	}
	got := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(referenceFolder, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(path)] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/reference/cli is not what the commands say of themselves; run make generate (-want +got):\n%s", diff)
	}
}
