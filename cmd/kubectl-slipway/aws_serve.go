package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// keptEntries is how much of the ledger a local AWS that runs for long keeps, roughly.
const keptEntries = 20_000

// serveAWS runs a local AWS until the context ends, which is how this ends well.
func serveAWS(ctx context.Context, f awsFlags, out io.Writer) (err error) {
	listener, err := net.Listen("tcp", f.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use: another local AWS may be running there; end it, or give --listen another port, or none for a free one", f.listen)
	}
	if err != nil {
		return fmt.Errorf("opening the endpoint: %w", err)
	}
	cloud, err := makeAWS(f)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer cloud.Close()
	if f.dataPlane {
		if err := cloud.StartDataPlane(context.WithoutCancel(ctx), localaws.DataPlaneOptions{}); err != nil {
			return errors.Join(fmt.Errorf("starting servers and listeners: %w", err), listener.Close())
		}
	}
	fmt.Fprint(out, awsWelcome("http://"+listener.Addr().String(), cloud, f))

	following, end := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		followAWS(following, cloud, f, out)
	}()
	err = cloud.Serve(ctx, listener)
	end()
	<-told
	if f.save == "" {
		return err
	}
	if failed := writeWorld(f.save, cloud.Save); failed != nil {
		return errors.Join(err, failed)
	}
	fmt.Fprintf(out, "The world is in %s.\n", f.save)
	return err
}

// makeAWS makes the world that the flags ask for.
func makeAWS(f awsFlags) (*localaws.Cloud, error) {
	if f.seed == 0 {
		f.seed = time.Now().UnixNano()%1e6 + 1
	}
	cloud := localaws.New(localaws.Options{Seed: f.seed, Clock: localaws.ScaledClock(f.speed)})
	if err := furnishAWS(cloud, f); err != nil {
		cloud.Close()
		return nil, err
	}
	return cloud, nil
}

func furnishAWS(cloud *localaws.Cloud, f awsFlags) error {
	if f.world == worldDefault {
		cloud.DefaultWorld()
	}
	if f.load != "" {
		if err := readWorld(f.load, cloud.Load); err != nil {
			return err
		}
	}
	settings, err := f.settings()
	if err != nil {
		return err
	}
	if err := cloud.TuneByName(settings...); err != nil {
		return err
	}
	if err := cloud.SetStart(); err != nil {
		return err
	}
	for _, text := range f.faults {
		if _, err := cloud.InjectText(text); err != nil {
			return err
		}
	}
	return nil
}

func readWorld(path string, load func(io.Reader) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := load(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeWorld writes a file beside the one that is meant and then puts it in its place, so that there is never half a world.
// Nobody else may read it: it has secrets in it.
func writeWorld(path string, save func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("saving the world: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if err = errors.Join(save(file), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// followAWS prints what happens, and lets the ledger forget what is long ago.
func followAWS(ctx context.Context, cloud *localaws.Cloud, f awsFlags, out io.Writer) {
	log := newAWSLogger(out)
	_ = cloud.Follow(ctx, cloud.LastSeq(), func(e localaws.Entry) { // ends with the context's error
		if !f.quiet {
			log.print(e)
		}
		if e.Seq%(keptEntries/10) == 0 && e.Seq > keptEntries {
			cloud.TrimLedger(e.Seq - keptEntries)
		}
	})
}

// awsWelcome is what a person needs: a block for their shell, and things to try there.
func awsWelcome(endpoint string, cloud *localaws.Cloud, f awsFlags) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	state := cloud.State()
	line("A local AWS is up: account %s, region %s, seed %d, %s.", state.Account, state.Region, state.Seed, speedText(state.Clock.Speed))
	line("Paste this into another shell (bash or zsh):\n")
	for _, l := range append(awsBlock(endpoint, state.Region), pathLine(programFolder()...)) {
		line("    %s", l)
	}
	line("\nTo try there:\n")
	for _, l := range awsTries(f) {
		line("    %s", l)
	}
	line("\nCtrl-C ends it. What happens until then:\n")
	return b.String()
}

// awsTries are commands that work in the world that there is.
func awsTries(f awsFlags) []string {
	status := "kubectl-slipway local aws status"
	if f.world == worldEmpty || f.load != "" {
		return []string{"aws sts get-caller-identity", "aws ec2 describe-instances --output text", status}
	}
	return []string{
		"aws ec2 run-instances --image-id ami-0a11ce00000000001 --instance-type t3.micro --count 2 --output text",
		"aws elb create-load-balancer --load-balancer-name web --availability-zones us-east-1a us-east-1b " +
			"--listeners Protocol=HTTP,LoadBalancerPort=80,InstancePort=80",
		status,
	}
}

// programFolder is where this program is, which may be nowhere on the PATH.
func programFolder() []string {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{filepath.Dir(program)}
}

// pathLine puts folders first on the PATH.
func pathLine(folders ...string) string {
	return "export PATH=" + quote(strings.Join(folders, string(os.PathListSeparator))) + `:"$PATH"`
}

func speedText(speed float64) string {
	switch speed {
	case 0:
		return "on a clock that stands still"
	case 1:
		return "in real time"
	}
	return fmt.Sprintf("%g times as fast as the wall clock", speed)
}

// awsBlock are the lines for the shell. The keys mean nothing to AWS, and everything that could lead to a real account is
// taken away: every variable of AWS's goes first, whatever it is called, and the user's own files are not read.
func awsBlock(endpoint, region string) []string {
	return []string{
		// One name more than there may be: zsh's unset needs one.
		`unset AWS_PROFILE $(env | sed -n 's/^\(AWS_[A-Za-z0-9_]*\)=.*/\1/p')`,
		"export AWS_CONFIG_FILE=" + os.DevNull + " AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull + " AWS_EC2_METADATA_DISABLED=true",
		"export AWS_ACCESS_KEY_ID=YOU AWS_SECRET_ACCESS_KEY=local AWS_REGION=" + region + " AWS_DEFAULT_REGION=" + region + " AWS_PAGER=",
		"export AWS_ENDPOINT_URL=" + endpoint,
		`aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; } # Debian's aws does not know the variable`,
	}
}
