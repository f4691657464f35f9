package localaws

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The page for people names every operation that there is, and no other.
func TestThePageListsTheOperations(t *testing.T) {
	page, err := os.ReadFile("../../docs/local-aws.md")
	if err != nil {
		t.Fatal(err)
	}
	for service, names := range Operations() {
		if want := fmt.Sprintf("| %s | %s |\n", service, strings.Join(names, ", ")); !strings.Contains(string(page), want) {
			t.Errorf("docs/local-aws.md does not have the line\n%s", want)
		}
	}
}
