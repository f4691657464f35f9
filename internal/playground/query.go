package playground

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// SetupKey is the access key of whoever made the world, so that the ledger tells their calls from the manager's.
const SetupKey = "SETUP"

// The API versions of the two generations of load balancers.
const (
	classicVersion = "2012-06-01"
	secondVersion  = "2015-12-01"
)

// caller speaks AWS's query protocol, which is a form for a question and XML for an answer. That is all it takes to
// make three load balancers; the SDK is for internal/awscloud.
type caller struct {
	client        *http.Client
	url, region   string
	version       string
	authorization string
}

func newCaller(client *http.Client, endpoint, region, version string) caller {
	return caller{client: client, url: endpoint, region: region, version: version,
		// The local AWS reads the key and the region, and verifies no signature.
		authorization: fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20060102/%s/elasticloadbalancing/aws4_request, SignedHeaders=host, Signature=none",
			SetupKey, region)}
}

// params are the parameters of a call, by name as on the wire: Subnets.member.1.
type params map[string]string

// list adds the members of a list.
func (p params) list(name string, values []string) params {
	for i, v := range values {
		p[fmt.Sprintf("%s.member.%d", name, i+1)] = v
	}
	return p
}

// call makes one call and decodes the answer into result, unless that is nil.
func (c caller) call(ctx context.Context, action string, p params, result any) error {
	form := url.Values{"Action": {action}, "Version": {c.version}}
	for name, value := range p {
		form.Set(name, value)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", c.authorization)
	response, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s: reading the answer: %w", action, err)
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct {
			Error struct{ Code, Message string }
		}
		if err := xml.Unmarshal(body, &refusal); err != nil {
			return fmt.Errorf("%s: HTTP %d: %s", action, response.StatusCode, body)
		}
		return fmt.Errorf("%s: %s: %s", action, refusal.Error.Code, refusal.Error.Message)
	}
	if result == nil {
		return nil
	}
	if err := xml.Unmarshal(body, result); err != nil {
		return fmt.Errorf("%s: reading the answer: %w", action, err)
	}
	return nil
}
