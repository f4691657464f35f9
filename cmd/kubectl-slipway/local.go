package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/playground"
)

// localFlags are those of all local commands.
type localFlags struct {
	manager, config string
	seed            int64
}

func newLocal() *cobra.Command {
	local := &cobra.Command{
		Use:   "local",
		Short: "Slipway on this machine, with a local AWS",
		Long: `Slipway on this machine: a real Kubernetes API server, the manager, and a local AWS whose
servers and load balancers listen on loopback. It needs no cluster, no AWS account and no
container engine. The API server is built once, the first time, which takes about ten minutes.`,
		Args: cobra.NoArgs, // an unknown command is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	local.AddCommand(newUp(), newDemo(), newAWS())
	return local
}

// add declares the flags on a command.
func (f *localFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.manager, "manager", "", "the manager's binary (default: manager, beside this program)")
	cmd.Flags().StringVar(&f.config, "config", "",
		"Slipway's folder config, with definitions and samples (default: config here, or beside this program's folder)")
	cmd.Flags().Int64Var(&f.seed, "seed", 0, "what AWS's random delays are drawn by, to see them again; 0 picks one")
}

// options fills in what was not given.
func (f *localFlags) options(progress io.Writer) (playground.Options, error) {
	program, err := os.Executable()
	if err != nil {
		return playground.Options{}, fmt.Errorf("finding this program: %w", err)
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		return playground.Options{}, fmt.Errorf("finding this program: %w", err)
	}
	folder := filepath.Dir(program)
	o := playground.Options{Manager: f.manager, Config: f.config, Seed: f.seed, Progress: progress}
	if o.Manager == "" {
		o.Manager = filepath.Join(folder, "manager")
	}
	if o.Config == "" {
		o.Config = firstFolder("config", filepath.Join(folder, "..", "config"))
	}
	if o.Seed == 0 {
		o.Seed = time.Now().UnixNano() % 1e6
	}
	// What is printed has to work in another shell, in another folder.
	o.Manager, err = filepath.Abs(o.Manager)
	if err == nil {
		o.Config, err = filepath.Abs(o.Config)
	}
	return o, err
}

// firstFolder is the first of the folders that has the samples, or the first of all.
func firstFolder(folders ...string) string {
	for _, folder := range folders {
		if info, err := os.Stat(filepath.Join(folder, "samples")); err == nil && info.IsDir() {
			return folder
		}
	}
	return folders[0]
}

// stopped puts a world away and adds what went wrong with that to err.
func stopped(world *playground.World, err error) error { return errors.Join(err, world.Stop()) }
