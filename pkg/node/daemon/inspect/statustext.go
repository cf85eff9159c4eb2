package inspect

import (
	"fmt"
	"strings"
	"time"
)

// Text is s for a terminal.
func (s Status) Text() string {
	var t table
	instance := ""
	if s.Instance.ID != "" {
		instance = fmt.Sprintf(", instance %s (%s, %s)", s.Instance.ID, s.Instance.Type, s.Instance.Zone)
	}
	mode := ""
	if s.Mode != "" {
		mode = fmt.Sprintf(", %s ENIs", s.Mode)
	}
	t.row("node", s.Node+instance+mode)
	t.row("terwayd", fmt.Sprintf("%s, started %s (%s ago)", s.Version, moment(s.Started), ago(s.Started, s.Now)))
	t.row("serving", s.serving())
	t.row("pool", s.Pool.text())
	t.row("config", s.Config.text())
	t.row("cloud", s.Cloud.text(s.Now))
	if len(s.Problems) == 0 {
		t.row("problems", "none")
		return t.String()
	}
	t.row("problems", len(s.Problems))
	text := t.String()
	for _, p := range s.Problems {
		text += indent("  ", p.text(s.Now))
	}
	return text
}

func (s Status) serving() string {
	if s.Serving.IsZero() {
		return "no: " + s.Waiting
	}
	return fmt.Sprintf("since %s (%s)", moment(s.Serving), ago(s.Serving, s.Now))
}

func (c Counts) text() string {
	if c == (Counts{}) {
		return "not read yet"
	}
	idle := fmt.Sprintf("%d idle", c.Idle)
	if c.Cooling > 0 {
		idle += fmt.Sprintf(" (%d cooling)", c.Cooling)
	}
	return fmt.Sprintf("%d used, %s, %d on the way, %d waiting; %d of %d addresses, ENIs: %d; keeps %d to %d idle",
		c.Used, idle, c.Coming, c.Waiting, c.Used+c.Idle, c.Capacity, c.ENIs, c.MinIdle, c.MaxIdle)
}

func (c Config) text() string {
	text := c.Source
	if c.Refused != "" {
		text += "; the newest one is refused"
	}
	if len(c.Restart) > 0 {
		text += fmt.Sprintf("; waiting for a restart: %s", strings.Join(c.Restart, "; "))
	}
	return text
}

func (c Contact) text(now time.Time) string {
	text := "never answered"
	if !c.Answered.IsZero() {
		text = fmt.Sprintf("answered %s ago", ago(c.Answered, now))
	}
	if c.Failed.After(c.Answered) {
		text += fmt.Sprintf(", failed %s ago: %s", ago(c.Failed, now), c.Error)
	}
	return text
}
