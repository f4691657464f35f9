package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/protocol"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// TypePrefix begins the type of every event; the notice's kind follows.
const TypePrefix = "dev.slipway.release."

// mostRedirects is how often a sink may send on.
const mostRedirects = 3

// CloudEvents sends notices to an HTTP endpoint as CloudEvents 1.0 in binary mode, with the notice as JSON. An answer of 2xx is a
// receipt; everything else is not.
type CloudEvents struct {
	client  cloudevents.Client
	cluster string
}

// NewCloudEvents makes a sink for an http or https URL. It makes no connection. The URL may have a secret in it and is in no error.
func NewCloudEvents(target, cluster string) (*CloudEvents, error) {
	if err := CheckURL(target); err != nil {
		return nil, err
	}
	// After a 301, 302 or 303 the client asks for a page, without the event, which is no receipt. After a 307 or 308 it sends the event there.
	stay := func(next *http.Request, via []*http.Request) error {
		if next.Method != http.MethodPost || len(via) >= mostRedirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	client, err := cloudevents.NewClientHTTP(cehttp.WithTarget(target), cehttp.WithClient(http.Client{Timeout: sendTimeout, CheckRedirect: stay}))
	if err != nil {
		return nil, fmt.Errorf("setting up CloudEvents: %w", quiet(err))
	}
	return &CloudEvents{client, cluster}, nil
}

// CheckURL says what is wrong with the URL of a sink.
func CheckURL(target string) error {
	parsed, err := url.Parse(target)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return errors.New("the sink of CloudEvents has to be a URL that begins with http:// or https://")
	}
	return nil
}

// Send implements Sink.
func (c *CloudEvents) Send(ctx context.Context, n Notice) error {
	event := cloudevents.NewEvent()
	event.SetID(n.ID)
	event.SetSource(fmt.Sprintf("/slipway.dev/clusters/%s/namespaces/%s/releases/%s", c.cluster, n.Namespace, n.Release))
	event.SetSubject(n.Namespace + "/" + n.Release)
	event.SetType(TypePrefix + string(n.Kind))
	event.SetTime(n.At)
	if err := event.SetData(cloudevents.ApplicationJSON, n); err != nil {
		return err
	}
	result := c.client.Send(ctx, event)
	var answer *cehttp.Result
	switch {
	case protocol.IsACK(result):
		return nil
	case cloudevents.ResultAs(result, &answer):
		return fmt.Errorf("the sink answered %d", answer.StatusCode)
	default:
		return quiet(result)
	}
}

// quiet leaves the URL out of an error.
func quiet(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
