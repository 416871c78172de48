// SPDX-License-Identifier: LGPL-2.1-or-later

// Package tap has what the compliance suite uses of github.com/mndrix/tap-go, which Debian does not package:
// a producer of the Test Anything Protocol, https://testanything.org/tap-version-13-specification.html.
package tap

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// T numbers and prints the results of one program.
type T struct {
	Writer io.Writer
	next   int
	todo   bool
}

// New gives a producer that writes to standard output.
func New() *T { return &T{Writer: os.Stdout, next: 1} }

// Header prints the version and, unless the count is 0, the plan.
func (t *T) Header(count int) {
	fmt.Fprintln(t.Writer, "TAP version 13")
	if count > 0 {
		fmt.Fprintf(t.Writer, "1..%d\n", count)
	}
}

// AutoPlan prints the plan of as many tests as there were.
func (t *T) AutoPlan() { fmt.Fprintf(t.Writer, "1..%d\n", t.next-1) }

// Ok prints the result of a test.
func (t *T) Ok(good bool, description string) {
	word, mark := "ok", ""
	if !good {
		word = "not ok"
	}
	if t.todo {
		mark = " # TODO"
	}
	fmt.Fprintf(t.Writer, "%s %d%s - %s\n", word, t.next, mark, strings.ReplaceAll(description, "\n", " "))
	t.next++
}

// Pass prints a test that passed.
func (t *T) Pass(description string) { t.Ok(true, description) }

// Fail prints a test that failed.
func (t *T) Fail(description string) { t.Ok(false, description) }

// Skip prints tests that were not run.
func (t *T) Skip(count int, description string) {
	for range count {
		fmt.Fprintf(t.Writer, "ok %d # SKIP %s\n", t.next, strings.ReplaceAll(description, "\n", " "))
		t.next++
	}
}

// Todo gives a producer for tests that are expected to fail; it shares the numbers of its parent no further.
func (t *T) Todo() *T { return &T{Writer: t.Writer, next: t.next, todo: true} }

// Diagnostic prints a comment.
func (t *T) Diagnostic(message string) {
	for _, line := range strings.Split(strings.TrimSuffix(message, "\n"), "\n") {
		fmt.Fprintf(t.Writer, "# %s\n", line)
	}
}

// Diagnosticf prints a formatted comment.
func (t *T) Diagnosticf(format string, values ...interface{}) {
	t.Diagnostic(fmt.Sprintf(format, values...))
}

// YAML prints details of the last test.
func (t *T) YAML(message interface{}) error {
	text, err := json.MarshalIndent(message, "  ", "  ")
	if err == nil {
		fmt.Fprintf(t.Writer, "  ---\n  %s\n  ...\n", text)
	}
	return err
}
