package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// What the drawing is made of, in pixels.
const (
	plotWidth = 860
	plotLeft  = 210 // where bars begin
	plotScale = 260 // of a factor of ten
	plotLine  = 22
	plotTop   = 60
)

// drawing is an SVG of all ratios on a scale of factors: to the left of the middle line ours is less than what it is compared
// with, to the right it is more. Times, sizes and counts want to be left of it, rates right.
func drawing(rows []Row) []byte {
	var b bytes.Buffer
	height := plotTop + plotLine*len(rows) + 20
	middle := float64(plotLeft + 1.2*plotScale)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="10" y="22" font-size="15">ours / baseline, one run of make bench</text>`+"\n")
	for _, factor := range []float64{0.1, 0.3, 1, 3, 10} {
		x := middle + plotScale*math.Log10(factor)
		fmt.Fprintf(&b, `<line x1="%.0f" x2="%.0f" y1="%d" y2="%d" stroke="#ccc"/><text x="%.0f" y="%d" text-anchor="middle" fill="#555">%g</text>`+"\n", x, x, plotTop-8, height-14, x, plotTop-14, factor)
	}
	for i, r := range rows {
		drawBar(&b, r, middle, plotTop+plotLine*i)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func drawBar(b *bytes.Buffer, r Row, middle float64, y int) {
	end := middle + plotScale*math.Log10(min(max(r.Ratio, 0.06), 16))
	colour := "#4477aa" // better
	if more := r.Ratio > 1; more != wantsMore(r) {
		colour = "#ddaa66"
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotLeft-8, y+13, html.EscapeString(r.Name))
	fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="14" fill="%s"/>`, min(middle, end), y+2, math.Abs(end-middle), colour)
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="#333">%.3g %s, %.2f</text>`+"\n", plotWidth-150, y+13, r.Value, html.EscapeString(r.Unit), r.Ratio)
}

// wantsMore reports whether more is better.
func wantsMore(r Row) bool { return r.Unit == "1/s" || r.Unit == "Gbit/s" }
