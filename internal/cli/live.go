package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// watched is what -w shows, until a Release is where --for says, or gone.
type watched struct {
	o       *Options
	c       client.WithWatch
	options *client.ListOptions
	// end says that there is nothing more to see, and with which outcome; nil: until the person ends it.
	end func(r *v1alpha1.Release, gone bool) (over bool, err error)
	// first are those that are known already.
	first []v1alpha1.Release
	// frame draws all that is there now.
	frame func(all []v1alpha1.Release, p painter, now time.Time) []string
}

// watch shows a live screen on a terminal, and else a line for each change.
func (w *watched) watch(ctx context.Context) error {
	if p := w.o.painter(); terminal(w.o.Out) && !p.ascii {
		return w.live(ctx)
	}
	return w.lines(ctx)
}

// lines writes a line whenever a Release is in another state than before.
func (w *watched) lines(ctx context.Context) error {
	said := map[string]string{}
	var end error
	err := followAll(ctx, w.c, w.options, func(r *v1alpha1.Release, gone bool) bool {
		line := plainLine(r, gone)
		if said[string(r.UID)] != line {
			said[string(r.UID)] = line
			fmt.Fprintf(w.o.Out, "%s  %s\n", w.o.Now().UTC().Format(time.TimeOnly), line)
		}
		over, err := w.over(r, gone)
		end = err
		return !over
	})
	return errors.Join(err, end)
}

func (w *watched) over(r *v1alpha1.Release, gone bool) (bool, error) {
	if w.end == nil {
		return false, nil
	}
	return w.end(r, gone)
}

// plainLine is a Release in one line.
func plainLine(r *v1alpha1.Release, gone bool) string {
	if gone {
		return r.Namespace + "/" + r.Name + ": gone"
	}
	state, _ := headline(r)
	words := []string{state, versionWords(r)}
	for _, f := range fleets(r) {
		words = append(words, f.role+" "+string(f.Version)+" "+fleetState(f))
	}
	for _, pool := range r.Status.Pools {
		for _, u := range pool.Unhealthy {
			words = append(words, fmt.Sprintf("%s %s in %s: %s", u.ServerID, u.State, pool.Name, u.Reason))
		}
	}
	return r.Namespace + "/" + r.Name + ": " + strings.Join(words, "; ")
}

// live is the screen that is drawn anew where it changes, in place, below what the terminal has already: the last frame stays.
func (w *watched) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	screen := &model{w: w, all: w.first, sized: make(chan struct{})}
	program := tea.NewProgram(screen, tea.WithContext(ctx), tea.WithInput(input(w.o.In)), tea.WithOutput(w.o.Out), tea.WithoutSignalHandler())
	var end error
	followed := make(chan error, 1)
	go func() {
		select { // each message with a size has all drawn anew, also the first, which may come late
		case <-screen.sized:
		case <-ctx.Done():
		case <-time.After(time.Second): // a terminal that does not say
		}
		program.Send(beginning{})
		err := followAll(ctx, w.c, w.options, func(r *v1alpha1.Release, gone bool) bool {
			program.Send(sighting{r, gone})
			over, err := w.over(r, gone)
			end = err
			return !over
		})
		program.Quit()
		followed <- err
	}()
	_, err := program.Run()
	cancel()
	if watching := <-followed; !errors.Is(watching, context.Canceled) {
		return errors.Join(watching, end)
	}
	if errors.Is(err, tea.ErrProgramKilled) { // by the context: a signal
		return context.Canceled
	}
	return err
}

// input is the keyboard, where there is one: without, only signals end the screen.
func input(in io.Reader) io.Reader {
	if terminal(in) {
		return in
	}
	return nil
}

// sighting is a Release as it is now.
type sighting struct {
	release *v1alpha1.Release
	gone    bool
}

// beginning has the screen drawn from now on.
type beginning struct{}

// tick has ages and deadlines go on.
type tick struct{}

// model is what the live screen knows.
type model struct {
	w             *watched
	all           []v1alpha1.Release
	width, height int
	sized         chan struct{} // closed once the size is known
	begun         bool          // from now on it is drawn
}

func second() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return tick{} }) }

// Init begins the clock.
func (m *model) Init() tea.Cmd { return second() }

// Update takes what is new.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case sighting:
		m.all = replaced(m.all, msg)
	case beginning:
		m.begun = true
	case tick:
		return m, second()
	case tea.WindowSizeMsg:
		if m.width == 0 {
			close(m.sized)
		}
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		}
	}
	return m, nil
}

// View draws, once it knows how much room there is.
func (m *model) View() tea.View {
	if !m.begun {
		return tea.NewView("")
	}
	p := m.w.o.painter()
	if m.width > 0 {
		p.width = m.width
	}
	lines := m.w.frame(m.all, p, m.w.o.Now())
	for i := range lines {
		lines[i] = m.w.o.here(lines[i])
	}
	if room := m.height - 1; room > 0 && len(lines) > room { // what does not fit would scroll away at every change
		lines = append(lines[:room-1], p.in(faint, fmt.Sprintf("… %d more lines: make the window higher", len(lines)-room+1)))
	}
	return tea.NewView(strings.Join(lines, "\n"))
}

// replaced is a list with one Release as it is now, in order.
func replaced(all []v1alpha1.Release, s sighting) []v1alpha1.Release {
	kept := make([]v1alpha1.Release, 0, len(all)+1)
	placed := s.gone
	for _, r := range all {
		if !placed && key(&r) >= key(s.release) {
			kept, placed = append(kept, *s.release), true
		}
		if key(&r) != key(s.release) {
			kept = append(kept, r)
		}
	}
	if !placed {
		kept = append(kept, *s.release)
	}
	return kept
}

func key(r *v1alpha1.Release) string { return r.Namespace + "/" + r.Name }
