package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stub plays each program that the pages have people run: it keeps how it was called, says something that can be put into another
// command, and ends as the test says.
const stub = `#!/bin/bash
printf '%s\0' "${0##*/}" "$@" $'\n' >> "$CALLS/$$"
[ ! -p /dev/stdin ] || cat > /dev/null
echo ` + said + `
exit "$ENDS"
`

// said is what stub prints.
const said = "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"

// played are the programs that stub plays, and borrowed those that are what they are. Whatever else a block runs is not found.
var (
	played   = []string{"bin/kubectl-slipway", "path/argocd", "path/aws", "path/curl", "path/docker", "path/helm", "path/jq", "path/kubectl", "path/make"}
	borrowed = []string{"bash", "cat", "date", "sed"}
)

// site is a folder in which a block is run.
type site struct {
	t      *testing.T
	folder string
}

func newSite(t *testing.T) site {
	t.Helper()
	s := site{t, t.TempDir()}
	for _, folder := range []string{"bin", "path"} {
		if err := os.Mkdir(filepath.Join(s.folder, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range played {
		if err := os.WriteFile(filepath.Join(s.folder, name), []byte(stub), 0o700); err != nil { //nolint:gosec // to be run
			t.Fatal(err)
		}
	}
	for _, name := range borrowed {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(s.folder, "path", name)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// runs gives the calls of the programs in a block: it is run once where all of them succeed, which it has to survive, and once where
// all of them fail, for what is only done then.
func (s site) runs(text string) (calls [][]string, err error) {
	s.t.Helper()
	for ends, options := range []string{"-eu", "-u"} {
		folder := s.t.TempDir()
		cmd := exec.CommandContext(s.t.Context(), "bash", options, "-o", "pipefail", "-c", text)
		cmd.Dir = s.folder
		cmd.Env = []string{"PATH=" + filepath.Join(s.folder, "path"), "CALLS=" + folder, fmt.Sprintf("ENDS=%d", ends),
			"TEST=http://127.0.0.1:1", "EDGE=http://127.0.0.1:2", "API=http://127.0.0.1:3"} // which `make up` has people paste
		out, failed := cmd.CombinedOutput()
		if ends == 0 && failed != nil || strings.Contains(string(out), "bash: ") {
			return nil, fmt.Errorf("it ended with %d:\n%s", cmd.ProcessState.ExitCode(), out)
		}
		for _, kept := range s.files(filepath.Join(folder, "*")) {
			for call := range strings.SplitSeq(strings.TrimSuffix(kept, "\x00\n\x00"), "\x00\n\x00") {
				if words := strings.Split(call, "\x00"); !slices.ContainsFunc(calls, func(c []string) bool { return slices.Equal(c, words) }) {
					calls = append(calls, words)
				}
			}
		}
	}
	for name, written := range s.files(filepath.Join(s.folder, "*.json")) {
		if strings.TrimSpace(written) != said && !json.Valid([]byte(written)) {
			return nil, fmt.Errorf("%s is no JSON:\n%s", name, written)
		}
	}
	return calls, nil
}

// files are the texts of the files that match, by their paths.
func (s site) files(pattern string) map[string]string {
	s.t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		s.t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

// inSentence is a command of kubectl between backquotes; ours are TestWhatIsDocumentedCanBeTyped's.
var inSentence = regexp.MustCompile("`(kubectl (?:-n \\S+ )?[a-z-]+ [^`\n]*)`")

// typedBlocks are all that the pages have people type: blocks, and the commands in the sentences of a page.
func typedBlocks(t *testing.T) (all []fence) {
	t.Helper()
	for _, block := range fences(t) {
		if block.language == "sh" || block.language == "bash" {
			all = append(all, block)
		}
	}
	for page, text := range advice(t) {
		var lines []string
		for _, found := range inSentence.FindAllStringSubmatch(text, -1) {
			if filepath.Ext(page) == ".md" && !strings.Contains(found[1], "kubectl slipway ") && !slices.Contains(lines, found[1]) {
				lines = append(lines, found[1])
			}
		}
		if len(lines) > 0 {
			all = append(all, fence{at: page, text: strings.Join(lines, "\n")})
		}
	}
	return all
}

// Whatever the pages have people type runs in a shell, and calls programs by what they know and for what there is.
func TestBlocksAreWhatCanBeRun(t *testing.T) {
	names, found := known(t), map[string]int{}
	for _, block := range typedBlocks(t) {
		calls, err := newSite(t).runs(block.text)
		if err != nil {
			t.Errorf("%s: %v:\n%s", block.at, err, block.text)
		}
		for _, call := range calls {
			found[call[0]]++
			if err := names.judge(call); err != nil {
				t.Errorf("%s: %q: %v", block.at, call, err)
			}
		}
	}
	for program, least := range map[string]int{"kubectl": 120, "make": 10, "aws": 20, "helm": 1, "kubectl-slipway": 1} {
		if found[program] < least {
			t.Errorf("%d calls of %s", found[program], program)
		}
	}
}

func TestWhatCannotBeRunIsFound(t *testing.T) {
	names := known(t)
	for text, wrong := range map[string]bool{
		"make docker-build docker-push IMG=a/b:1.0":                                      false,
		"make docker-bild":                                                               true,
		"kubctl get rel":                                                                 true,
		"if kubectl get rel; then echo":                                                  true,
		"echo $nothing":                                                                  true,
		"bin/kubectl-slipway local aws":                                                  false,
		"bin/kubectl-slipway local gcp":                                                  true,
		"kubectl slipway promote web \\\n  --wait":                                       false,
		"kubectl slipway promote web \\\n  --wait-for":                                   true,
		"kubectl apply -k config/samples/shards/east":                                    false,
		"kubectl apply -k config/samples/shards/west":                                    true,
		"kubectl apply -k config/rbac/role.yaml":                                         true,
		"kubectl apply -f releases.yaml":                                                 true,
		"kubectl get releases.slipway.dev,pods -A":                                       false,
		"kubectl get releases,pds":                                                       true,
		"kubectl get rel -o wide --colour":                                               true,
		"kubectl promote web":                                                            true,
		"kubectl wait rel/web --for=condition=Ready || kubectl get relase web":           true,
		"kubectl explain releaze.spec":                                                   true,
		"kubectl rollout restart deployment slipway-controller":                          true,
		"kubectl rollout restart deployment slipway-controller-manager":                  false,
		"kubectl create clusterrolebinding a --clusterrole=slipway-viewer":               true,
		`kubectl patch rel web --type merge -p '{"spec":{"phase":"Live"}}'`:              false,
		`kubectl patch rel web --type merge -p '{"spec":{"phse":"Live"}}'`:               true,
		`kubectl patch rel web --type merge -p '{"spec":{"phase":"Live"}'`:               true,
		`kubectl patch relclass web -p '{"spec":{"phase":"Live"}}'`:                      true,
		`kubectl patch rel web --type json -p '[{"op":"remove","path":"/spec/phase"}]'`:  false,
		`kubectl patch rel web --type json -p '[{"op":"removed","path":"/spec/phase"}]'`: true,
		"kubectl patch configmap a --patch-file config/argocd/argocd-cm.yaml":            false,
		"kubectl patch configmap a --patch-file config/argocd/kustomization.yaml":        true,
		`aws events put-rule --event-pattern '{"source": ["aws.ec2"]}'`:                  false,
		`aws events put-rule --event-pattern '{"source": ["aws.ec2"}'`:                   true,
		"cat > a.json <<EOF\n{\"a\": 1}\nEOF":                                            false,
		"cat > a.json <<EOF\n{\"a\": 1\nEOF":                                             true,
		"docker build -f cmd/slipway-notice/Dockerfile .":                                true,
	} {
		calls, err := newSite(t).runs(text)
		for _, call := range calls {
			err = errors.Join(err, names.judge(call))
		}
		if (err != nil) != wrong {
			t.Errorf("%s: %v", text, err)
		}
	}
}
