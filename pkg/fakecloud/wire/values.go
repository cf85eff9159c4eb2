package wire

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// values are a request's parameters. Names are case-sensitive. A value that does not parse is kept as the first error;
// an action reads all it needs, then asks invalid, then acts.
type values struct {
	url.Values
	bad *error
}

func (v values) invalid() error { return *v.bad }

func (v values) reject(name string) {
	if *v.bad == nil {
		*v.bad = fail("InvalidParameter", "The specified parameter %q is not valid.", name)
	}
}

// need is a text that must be there.
func (v values) need(name string) string {
	text := v.Get(name)
	if text == "" && *v.bad == nil {
		*v.bad = fail("MissingParameter", "The input parameter %q that is mandatory for processing this request is not supplied.", name)
	}
	return text
}

func (v values) number(name string) int {
	text := v.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		v.reject(name)
	}
	return n
}

// truth is a boolean, nil when it is not given.
func (v values) truth(name string) *bool {
	text := v.Get(name)
	if text == "" {
		return nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		v.reject(name)
	}
	return &b
}

// text is a parameter, nil when it is not given.
func (v values) text(name string) *string {
	if !v.Has(name) {
		return nil
	}
	s := v.Get(name)
	return &s
}

// list is the elements of name.1, name.2, … in order; numbers may be left out.
func (v values) list(name string) []string {
	var numbers []int
	for key := range v.Values {
		if len(key) > len(name)+1 && key[:len(name)+1] == name+"." {
			if n, err := strconv.Atoi(key[len(name)+1:]); err == nil {
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	var all []string
	for _, n := range numbers {
		all = append(all, v.Get(name+"."+strconv.Itoa(n)))
	}
	return all
}

// array is a parameter that holds a JSON list of texts.
func (v values) array(name string) []string {
	text := v.Get(name)
	if text == "" {
		return nil
	}
	var all []string
	if json.Unmarshal([]byte(text), &all) != nil {
		v.reject(name)
	}
	return all
}

func (v values) address(name string) netip.Addr {
	if v.Get(name) == "" {
		return netip.Addr{}
	}
	return v.parse(name, v.Get(name))
}

func (v values) addresses(name string) []netip.Addr {
	var all []netip.Addr
	for _, text := range v.list(name) {
		all = append(all, v.parse(name, text))
	}
	return all
}

func (v values) parse(name, text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		v.reject(name)
	}
	return a
}

// cidr is a prefix, the zero Prefix when it is not given.
func (v values) cidr(name string) netip.Prefix {
	text := v.Get(name)
	if text == "" {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		v.reject(name)
	}
	return p
}

// cidrs are the prefixes name.1, name.2, …
func (v values) cidrs(name string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range v.list(name) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			v.reject(name)
		}
		all = append(all, p)
	}
	return all
}

// tags are Tag.N.Key and Tag.N.Value. A key that comes twice is refused.
func (v values) tags() map[string]string {
	var tags map[string]string
	for n := 1; n <= 20 || v.Has("Tag."+strconv.Itoa(n)+".Key"); n++ {
		prefix := "Tag." + strconv.Itoa(n)
		if !v.Has(prefix + ".Key") {
			continue
		}
		if tags == nil {
			tags = map[string]string{}
		}
		if _, twice := tags[v.Get(prefix+".Key")]; twice && *v.bad == nil {
			*v.bad = fail("Duplicate.TagKey", "The Tag.N.Key contain duplicate key.")
		}
		tags[v.Get(prefix+".Key")] = v.Get(prefix + ".Value")
	}
	return tags
}

// refuse refuses parameters that the service knows and the simulator does not, in place of ignoring what they ask for.
func (v values) refuse(names ...string) {
	for _, name := range names {
		if (v.Has(name) || v.Has(name+".1")) && *v.bad == nil {
			*v.bad = fail("UnsupportedParameter", "The parameter %q is not supported here.", name)
		}
	}
}

// tokenPage is the page of at most size items that begins behind the one token names, and the token of the next page.
func tokenPage[T any](all []T, id func(T) string, size int, token string) ([]T, string, error) {
	start := 0
	if token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", fail("InvalidParameter", "The specified parameter \"NextToken\" is not valid.")
		}
		for start < len(all) && id(all[start]) <= string(last) {
			start++
		}
	}
	end := min(start+size, len(all))
	if end == len(all) {
		return all[start:end], "", nil
	}
	return all[start:end], base64.RawURLEncoding.EncodeToString([]byte(id(all[end-1]))), nil
}

// numberedPage is page number (from 1) of at most size items.
func numberedPage[T any](all []T, number, size int) []T {
	start := min((max(number, 1)-1)*size, len(all))
	return all[start:min(start+size, len(all))]
}

// pageAsked is what a request says about pages, where a list knows both ways.
type pageAsked struct {
	number, size, results int
	token                 string
}

func (v values) either() pageAsked {
	return pageAsked{v.number("PageNumber"), v.number("PageSize"), v.number("MaxResults"), v.Get("NextToken")}
}

// pageOf is the page that was asked for, by token when the request has MaxResults or NextToken, else by number, and an
// answer that says which page it is. At most 100 items are on one, and 10 unless told.
func pageOf[T any](asked pageAsked, all []T, id func(T) string) (page []T, answer object, err error) {
	size, next := within(asked.size, 10, 1, 100), ""
	if asked.results > 0 || asked.token != "" {
		size = within(asked.results, 10, 1, 100)
		page, next, err = tokenPage(all, id, size, asked.token)
	} else {
		page = numberedPage(all, asked.number, size)
	}
	return page, object{"NextToken": next, "PageNumber": max(asked.number, 1), "PageSize": size, "TotalCount": len(all)}, err
}

// within is n, or standard when n is not given, but at least low and at most high.
func within(n, standard, low, high int) int {
	if n == 0 {
		return standard
	}
	return min(max(n, low), high)
}

// each turns items into what JSON shows of them; never nil.
func each[T, U any](items []T, show func(T) U) []U {
	all := make([]U, 0, len(items))
	for _, item := range items {
		all = append(all, show(item))
	}
	return all
}

// stamp is a time as the services write it, "" for the zero Time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeFormat)
}
