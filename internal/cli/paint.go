package cli

import (
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// mood is how a state is to be taken.
type mood int

const (
	calm    mood = iota // nothing to see
	good                // as asked for
	busy                // on its way
	waiting             // for a person
	bad                 // somebody has to mend something
	faint               // beside the point
	strong              // what to look at
)

// MarshalText names a mood for scripts.
func (m mood) MarshalText() ([]byte, error) {
	return []byte(map[mood]string{calm: "calm", good: "good", busy: "busy", waiting: "waiting", bad: "bad"}[m]), nil
}

// painter draws for one kind of output: with colours or without, with lines and ticks or in ASCII.
type painter struct {
	colours, ascii bool
	// width is that of the terminal in columns; 0 is unlimited.
	width int
}

// painter is what fits the output: colours on a terminal, unless NO_COLOR is set (no-color.org) or TERM says that it cannot.
func (o *Options) painter() painter {
	dumb := os.Getenv("TERM") == "dumb"
	file, isFile := o.Out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return painter{ascii: dumb}
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		width = 0
	}
	return painter{colours: os.Getenv("NO_COLOR") == "" && !dumb, ascii: dumb, width: width}
}

// terminal says whether a stream is one.
func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// styles are from the sixteen colours that everybody has set to their liking.
var styles = map[mood]lipgloss.Style{
	good:    lipgloss.NewStyle().Foreground(lipgloss.Green),
	busy:    lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	waiting: lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	bad:     lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
	faint:   lipgloss.NewStyle().Faint(true),
	strong:  lipgloss.NewStyle().Bold(true),
}

// in gives a text in the colour of a mood.
func (p painter) in(m mood, text string) string {
	style, ok := styles[m]
	if !p.colours || !ok || text == "" {
		return text
	}
	return style.Render(text)
}

// sign is a mark that tells a mood without colours.
func (p painter) sign(m mood) string {
	signs := map[mood][2]string{good: {"✔", "ok"}, busy: {"◌", ".."}, waiting: {"●", "**"}, bad: {"✖", "!!"}, calm: {"·", "--"}}
	s := signs[m]
	if p.ascii {
		return s[1]
	}
	return s[0]
}

// branch is the beginning of a line of a tree, below a parent that is the last of its own or is not.
func (p painter) branch(last bool) (own, below string) {
	switch {
	case p.ascii && last:
		return "`- ", "   "
	case p.ascii:
		return "|- ", "|  "
	case last:
		return "└─ ", "   "
	}
	return "├─ ", "│  "
}

// fit cuts a line at the terminal's edge, so that a frame has as many rows as lines.
func (p painter) fit(line string) string {
	if p.width <= 0 {
		return line
	}
	end := "…"
	if p.ascii {
		end = "..."
	}
	return ansi.Truncate(line, p.width, end)
}

// wrap lays a text out under an indent, within the terminal's width.
func (p painter) wrap(indent, text string) []string {
	if p.width <= len(indent)+20 {
		return []string{indent + text}
	}
	lines := strings.Split(ansi.Wordwrap(text, p.width-len(indent), ""), "\n")
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return lines
}

// columns lays rows out; styled cells count with what is seen of them. Nothing follows the last cell of a row.
func columns(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 {
				widths[i] = max(widths[i], ansi.StringWidth(cell))
			}
		}
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
			}
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

// writeLines writes lines.
func writeLines(out io.Writer, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	_, err := io.WriteString(out, strings.Join(lines, "\n")+"\n")
	return err
}
