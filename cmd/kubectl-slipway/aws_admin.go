package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/localaws"
)

// awsAdmin talks to a local AWS that runs.
type awsAdmin struct{ endpoint string }

// add declares the flag that finds it.
func (a *awsAdmin) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.endpoint, "endpoint", os.Getenv("AWS_ENDPOINT_URL"), "the URL of the local AWS (default: $AWS_ENDPOINT_URL)")
	cmd.Flag("endpoint").DefValue = "" // help says where it comes from, whatever the shell has
}

// do makes a request, whose answer the caller closes. An answer that is not good is an error, in the words of the local AWS.
func (a *awsAdmin) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	if a.endpoint == "" {
		return nil, fmt.Errorf("it is not known where the local AWS is, since AWS_ENDPOINT_URL is not set: %w", errNobody)
	}
	base, err := url.Parse(a.endpoint)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("the endpoint %q is no URL such as http://127.0.0.1:4566", a.endpoint)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.endpoint, "/")+localaws.AdminPath+path, body)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("no local AWS answers at %s (%w): %w", a.endpoint, errors.Unwrap(err), errNobody)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // what there is of it
	if answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusForbidden {
		return nil, errors.New(strings.TrimSpace(string(text)))
	}
	return nil, fmt.Errorf("what answers at %s is no local AWS: it says %s", a.endpoint, answer.Status)
}

// ask makes a request and gives the text of the answer.
func (a *awsAdmin) ask(ctx context.Context, method, path, body string) (string, error) {
	answer, err := a.do(ctx, method, path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func (a *awsAdmin) state(ctx context.Context) (*localaws.State, error) {
	text, err := a.ask(ctx, http.MethodGet, "state", "")
	if err != nil {
		return nil, err
	}
	var s localaws.State
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("the local AWS at %s is of another version: %w", a.endpoint, err)
	}
	return &s, nil
}

// follow calls f with each entry of the ledger after the one with that number, until the context or the local AWS ends. Without
// wait only with those that there are.
func (a *awsAdmin) follow(ctx context.Context, since uint64, wait bool, f func(localaws.Entry)) error {
	answer, err := a.do(ctx, http.MethodGet, fmt.Sprintf("ledger?since=%d&follow=%t", since, wait), nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	for in := json.NewDecoder(answer.Body); ; {
		var e localaws.Entry
		err := in.Decode(&e)
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how following ends well
		case errors.Is(err, io.EOF) && !wait:
			return nil
		case err != nil:
			return fmt.Errorf("the local AWS at %s has ended: %w", a.endpoint, err)
		}
		f(e)
	}
}
