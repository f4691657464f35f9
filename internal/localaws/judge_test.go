package localaws

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/localaws/awsmodel"
)

// The model in testdata knows two of EC2's operations, and calls the member keyName of a key pair keyNam.
func judgedCloud(t *testing.T) (c *Cloud, found *[]string) {
	t.Helper()
	models, err := awsmodel.Open("testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	found = &[]string{}
	c = newSim(t).Cloud
	c.judge = newJudge(models, func(message string) { *found = append(*found, message) })
	return c, found
}

func TestAnswersAreJudgedByTheModel(t *testing.T) {
	c, found := judgedCloud(t)
	send(t, c, form("Action", "DescribeVpcs", "Version", ec2Version, "VpcId.1", "vpc-00000000"))
	if len(*found) != 0 {
		t.Errorf("a good answer was found wrong: %q", *found)
	}
	send(t, c, form("Action", "DescribeKeyPairs", "Version", ec2Version))
	if len(*found) != 1 || !strings.Contains((*found)[0], "DescribeKeyPairs: DescribeKeyPairsResponse/keySet/item/") ||
		!strings.Contains((*found)[0], "<keyName>ops</keyName>") {
		t.Errorf("found %q", *found)
	}
	send(t, c, form("Action", "DescribeSubnets", "Version", ec2Version))
	if len(*found) != 2 || !strings.Contains((*found)[1], "AWS's model has no such operation") {
		t.Errorf("found %q", *found)
	}
	send(t, c, form("Action", "GetCallerIdentity", "Version", stsVersion))
	if len(*found) != 3 || !strings.Contains((*found)[2], "AWS's model of sts 2011-06-15") {
		t.Errorf("found %q", *found)
	}
}

func TestAnAnswerThatWasFoundGoodIsNotJudgedAgain(t *testing.T) {
	c, _ := judgedCloud(t)
	for range 3 {
		send(t, c, form("Action", "DescribeVpcs", "Version", ec2Version, "VpcId.1", "vpc-00000000"))
	}
	if n := len(c.judge.passed); n != 1 {
		t.Errorf("%d answers are remembered of three that differ in their request id", n)
	}
}

func TestWhatAFaultMadeUpIsNotJudged(t *testing.T) {
	c, found := judgedCloud(t)
	c.Inject(Fault{Before: &APIFault{Status: 502, Message: "bad gateway"}, Count: 1})
	c.Inject(Fault{Before: &APIFault{Code: "Odd"}})
	for range 2 {
		send(t, c, form("Action", "DescribeKeyPairs", "Version", ec2Version))
	}
	if len(*found) != 0 {
		t.Errorf("found %q", *found)
	}
}

// The process that asks ends, although an HTTP server that recovers panics is in between.
func TestAWrongAnswerEndsTheProcess(t *testing.T) {
	const child = "LOCALAWS_JUDGED_CHILD"
	if os.Getenv(child) != "" {
		server := httptest.NewServer(newSim(t).Handler())
		defer server.Close()
		response, err := http.Get(server.URL + "/?Action=DescribeKeyPairs&Version=" + ec2Version)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("status %d, %v", response.StatusCode, err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAWrongAnswerEndsTheProcess$")
	cmd.Env = append(os.Environ(), child+"=1", modelsVariable+"=testdata/models")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: ec2 answered what AWS's model does not allow: DescribeKeyPairs: ") {
		t.Errorf("ended with %v and:\n%s", err, out)
	}
	cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAWrongAnswerEndsTheProcess$")
	cmd.Env = append(os.Environ(), child+"=1", modelsVariable+"=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("without models it ended with %v and:\n%s", err, out)
	}
	cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAWrongAnswerEndsTheProcess$")
	cmd.Env = append(os.Environ(), child+"=1", modelsVariable+"=testdata/none")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "LOCALAWS_MODELS=testdata/none: AWS's models: ") {
		t.Errorf("with a folder that is not there it ended with %v and:\n%s", err, out)
	}
}
