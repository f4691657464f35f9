package config

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"slipway.dev/slipway/config/iam"
)

// issuer is that of a cluster's tokens, as EKS says it.
const issuer = "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"

// listened runs the first block of a section in bash, with functions in the place of aws and kubectl, and gives the calls, each a line,
// and what was written into trust.json.
func listened(t *testing.T, heading string) (calls []string, trust []byte) {
	t.Helper()
	_, block, _ := strings.Cut(section(t, "install.md", heading), "```sh\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatalf("%s has no block", heading)
	}
	folder := t.TempDir()
	const listen = `hear() { echo "$*" >> calls; }; aws() { hear aws "$@"; echo https://` + issuer + `; }; kubectl() { hear kubectl "$@"; }` + "\n"
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", listen+block)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", heading, err, out)
	}
	trust, err := os.ReadFile(filepath.Join(folder, "trust.json"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(page(t, filepath.Join(folder, "calls"))), "\n"), trust
}

// account is the service account of the manager's pods.
func account(t *testing.T) (namespace, name string) {
	t.Helper()
	built := build(t, "default")
	var manager appsv1.Deployment
	find(t, built, "Deployment", "slipway-controller-manager", &manager)
	var account corev1.ServiceAccount
	find(t, built, "ServiceAccount", manager.Spec.Template.Spec.ServiceAccountName, &account)
	return account.Namespace, account.Name
}

// trusts fails where a trust policy is not the one statement.
func trusts(t *testing.T, trust []byte, statement map[string]any) {
	t.Helper()
	var got any
	if err := json.Unmarshal(trust, &got); err != nil {
		t.Fatalf("%v in:\n%s", err, trust)
	}
	statement["Effect"] = "Allow"
	if diff := cmp.Diff(any(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}}), got); diff != "" {
		t.Errorf("trust policy (-needed +written):\n%s", diff)
	}
}

// called fails where a block does not call this.
func called(t *testing.T, calls []string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !slices.Contains(calls, want) {
			t.Errorf("%q is not called, but\n%s", want, strings.Join(calls, "\n"))
		}
	}
}

// The role is for EKS's agent on the nodes, which gives it to the account of the pods. Without TagSession EKS refuses the association.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
func TestPodIdentityIsForTheManager(t *testing.T) {
	calls, trust := listened(t, "### EKS Pod Identity")
	trusts(t, trust, map[string]any{
		"Principal": map[string]any{"Service": "pods.eks.amazonaws.com"}, "Action": []any{"sts:AssumeRole", "sts:TagSession"},
	})
	namespace, name := account(t)
	called(t, calls,
		"aws iam create-role --role-name slipway --assume-role-policy-document file://trust.json",
		"aws iam put-role-policy --role-name slipway --policy-name slipway --policy-document file://policy.json",
		"aws eks create-pod-identity-association --cluster-name CLUSTER --namespace "+namespace+" --service-account "+name+
			" --role-arn arn:aws:iam::123456789012:role/slipway",
		"kubectl -n "+namespace+" rollout restart deployment slipway-controller-manager")
}

// The role is for tokens of this cluster's that are of this account's pods and made for STS: without a condition on both, every pod of the
// cluster could take it. https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
func TestIRSAIsForTheManager(t *testing.T) {
	calls, trust := listened(t, "### IRSA")
	namespace, name := account(t)
	trusts(t, trust, map[string]any{
		"Principal": map[string]any{"Federated": "arn:aws:iam::123456789012:oidc-provider/" + issuer}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": map[string]any{"StringEquals": map[string]any{
			issuer + ":aud": "sts.amazonaws.com", issuer + ":sub": "system:serviceaccount:" + namespace + ":" + name,
		}},
	})
	called(t, calls,
		"aws iam create-role --role-name slipway --assume-role-policy-document file://trust.json",
		"aws iam put-role-policy --role-name slipway --policy-name slipway --policy-document file://policy.json",
		"kubectl -n "+namespace+" annotate serviceaccount "+name+" eks.amazonaws.com/role-arn=arn:aws:iam::123456789012:role/slipway",
		"kubectl -n "+namespace+" rollout restart deployment slipway-controller-manager")
}

// The rule sends what the code hears, into the queue that the class names, which takes it from that rule alone; and the manager's policy is
// for that queue.
func TestTheEventsQueueIsFilled(t *testing.T) {
	const heading, arn = "### Hearing of servers at once", "arn:aws:sqs:us-east-1:123456789012:slipway-events"
	calls, _ := listened(t, heading)
	called(t, calls,
		"aws sqs create-queue --queue-name slipway-events --attributes MessageRetentionPeriod=300",
		`aws events put-rule --name slipway-events --event-pattern {"source": ["aws.ec2"], "detail-type": ["`+
			constants(t, "../internal/awscloud/events.go", "stateChange")[0]+`"]}`,
		"aws events put-targets --rule slipway-events --targets Id=slipway,Arn="+arn,
		"aws sqs set-queue-attributes --queue-url https://sqs.us-east-1.amazonaws.com/123456789012/slipway-events --attributes file://attributes.json",
		`kubectl patch releaseclass production --type=merge -p {"spec": {"eventsQueue": "slipway-events"}}`)

	_, block, _ := strings.Cut(section(t, "install.md", heading), "```json\n")
	block, _, _ = strings.Cut(block, "```")
	var attributes map[string]string // as SQS takes them
	if err := json.Unmarshal([]byte(block), &attributes); err != nil {
		t.Fatal(err)
	}
	if len(attributes) != 1 {
		t.Errorf("attributes: %v", attributes)
	}
	trusts(t, []byte(attributes["Policy"]), map[string]any{
		"Principal": map[string]any{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/slipway-events"}},
	})

	made, err := iam.Policy(iam.Installation{Account: "123456789012", Region: "us-east-1", Cluster: "prod", EventsQueue: "slipway-events"})
	if err != nil {
		t.Fatal(err)
	}
	var manager policy
	if err := json.Unmarshal(made, &manager); err != nil {
		t.Fatal(err)
	}
	var hears []string
	for _, statement := range manager.Statement {
		for _, action := range statement.Action {
			if strings.HasPrefix(action, "sqs:") && slices.Equal(statement.Resource, []string{arn}) {
				hears = append(hears, action)
			}
		}
	}
	var needed []string
	for action := range calledActions(t) {
		if strings.HasPrefix(action, "sqs:") {
			needed = append(needed, action)
		}
	}
	slices.Sort(hears)
	slices.Sort(needed)
	if diff := cmp.Diff(needed, hears); diff != "" || len(hears) == 0 {
		t.Errorf("the manager may do with the queue (-needed +allowed):\n%s", diff)
	}
}
