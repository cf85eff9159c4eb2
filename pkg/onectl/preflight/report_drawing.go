package preflight

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The drawing's measures, in SVG units (pixels at full width).
const (
	drawingWidth = 1000
	sideWidth    = 340
	margin       = 10
	lineHeight   = 19
	dotHeight    = 26
	dotsShown    = 6  // nodes drawn a side; the others are counted
	sideChars    = 42 // characters of a line in a side
	linkChars    = 28 // characters of a line in a link's box
	vpcX         = drawingWidth - sideWidth - margin
	linkX        = margin + sideWidth + 32
	linkWidth    = vpcX - linkX - 32
)

// drawing is the two networks laid out: what the template writes as SVG without further thought.
type drawing struct {
	Width, Height int
	Label         string // what a reader hears who does not see it
	Boxes         []svgBox
	Wires         []svgWire
	Texts         []svgText
}

// svgBox is a rectangle.
type svgBox struct {
	X, Y, W, H int
	Class      string
	Title      string // shown when a pointer rests on it
}

// svgWire is a horizontal line.
type svgWire struct {
	X1, X2, Y int
	Class     string
}

// svgText is one line of text, from its left end at the base line.
type svgText struct {
	X, Y  int
	Class string
	Text  string
}

// draw lays the networks out: the data centre left, the VPC right, what connects them between.
func draw(n Networks) drawing {
	d := drawing{Width: drawingWidth, Label: "The data centre's network, the VPC, and what connects them"}
	dataCentre := slices.DeleteFunc(slices.Clone(n.Nodes), func(dot NodeDot) bool { return dot.Cloud })
	inCloud := slices.DeleteFunc(slices.Clone(n.Nodes), func(dot NodeDot) bool { return !dot.Cloud })
	left := d.side(margin, n.DataCentre, nil, dataCentre)
	right := d.side(vpcX, n.VPC, n.VSwitches, inCloud)
	middle := d.links(n)
	bottom := max(left, right, middle, 180)
	d.Boxes = append([]svgBox{ // behind everything else
		{X: margin, Y: margin, W: sideWidth, H: bottom - margin, Class: "side " + string(n.DataCentre.State)},
		{X: vpcX, Y: margin, W: sideWidth, H: bottom - margin, Class: "side " + string(n.VPC.State)},
	}, d.Boxes...)
	d.Height = bottom + margin
	if len(n.Services) > 0 {
		d.Texts = append(d.Texts, svgText{X: margin, Y: bottom + 24, Class: "small", Text: "Services, on every node: " + strings.Join(n.Services, ", ")})
		d.Height += 24
	}
	return d
}

// side draws one network from x on, and says where it ends.
func (d *drawing) side(x int, s Side, subnets []Subnet, dots []NodeDot) (bottom int) {
	y := margin + 28
	d.Texts = append(d.Texts, svgText{X: x + 16, Y: y, Class: "head", Text: cut(s.Title, sideChars-10)})
	y += 6
	for _, line := range s.Lines {
		for _, part := range wrap(line, sideChars) {
			y += lineHeight
			d.Texts = append(d.Texts, svgText{X: x + 16, Y: y, Text: part})
		}
	}
	y += 14
	for _, v := range subnets {
		d.subnet(x+16, y, v)
		y += 46
	}
	return d.dots(x+16, y, dots)
}

func (d *drawing) subnet(x, y int, v Subnet) {
	class := "subnet " + v.Use
	if v.Free == 0 {
		class += " fail"
	}
	d.Boxes = append(d.Boxes, svgBox{X: x, Y: y, W: sideWidth - 32, H: 40, Class: class, Title: v.ID})
	use := ""
	if v.Use != "" {
		use = ", for " + v.Use
	}
	d.Texts = append(d.Texts,
		svgText{X: x + 10, Y: y + 16, Class: "strong", Text: cut(v.ID+"  "+v.CIDR, sideChars)},
		svgText{X: x + 10, Y: y + 33, Class: "small", Text: cut(fmt.Sprintf("%s%s, %d addresses free", v.Zone, use, v.Free), sideChars+4)},
	)
}

// dots draws nodes one below the other; those that are not ready come first.
func (d *drawing) dots(x, y int, dots []NodeDot) (bottom int) {
	slices.SortStableFunc(dots, func(a, b NodeDot) int {
		return strings.Compare(string(a.State), string(b.State)) // "fail" before "ok"
	})
	count := fmt.Sprintf("%d nodes", len(dots))
	if len(dots) == 1 {
		count = "1 node"
	}
	y += 14
	d.Texts = append(d.Texts, svgText{X: x, Y: y, Class: "small", Text: count})
	y += 8
	shown := min(len(dots), dotsShown)
	for _, dot := range dots[:shown] {
		d.Boxes = append(d.Boxes, svgBox{X: x, Y: y, W: sideWidth - 32, H: dotHeight, Class: "node " + string(dot.State), Title: dot.Name})
		name := dot.Name
		if dot.State == StateFail {
			name = "not ready: " + name
		}
		d.Texts = append(d.Texts, svgText{X: x + 10, Y: y + 17, Class: "small", Text: cut(name, sideChars)})
		y += dotHeight + 6
	}
	if more := len(dots) - shown; more > 0 {
		y += 12
		d.Texts = append(d.Texts, svgText{X: x, Y: y, Class: "small", Text: fmt.Sprintf("and %d more", more)})
	}
	return y + 10
}

// links draws what connects the two sides, one below the other.
func (d *drawing) links(n Networks) (bottom int) {
	links := n.Links
	if len(links) == 0 {
		links = []Link{{Name: "no connection seen", Lines: []string{n.LinksWhy}, State: StateUnknown}}
	}
	y := 3 * margin
	for _, l := range links {
		var lines []string
		for _, line := range l.Lines {
			lines = append(lines, wrap(line, linkChars)...)
		}
		height := 34 + len(lines)*lineHeight
		wireY := y + height/2
		d.Wires = append(d.Wires, svgWire{X1: margin + sideWidth, X2: linkX, Y: wireY, Class: string(l.State)}, svgWire{X1: linkX + linkWidth, X2: vpcX, Y: wireY, Class: string(l.State)})
		d.Boxes = append(d.Boxes, svgBox{X: linkX, Y: y, W: linkWidth, H: height, Class: "link " + string(l.State), Title: l.Name})
		d.Texts = append(d.Texts, svgText{X: linkX + 12, Y: y + 21, Class: "strong", Text: cut(l.Name, linkChars-2)})
		for i, line := range lines {
			d.Texts = append(d.Texts, svgText{X: linkX + 12, Y: y + 21 + (i+1)*lineHeight, Class: "small", Text: line})
		}
		y += height + 16
	}
	return y
}

// cut shortens text to so many characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// wrap breaks text at spaces into at most four lines.
func wrap(s string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && utf8.RuneCountInString(line+" "+word) > most {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	lines = append(lines, line)
	if len(lines) > 4 {
		lines = append(lines[:3], lines[3]+" …")
	}
	for i, l := range lines {
		lines[i] = cut(l, most)
	}
	return lines
}
