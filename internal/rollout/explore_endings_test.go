package rollout

import (
	"fmt"
	"strings"
)

// passes are all passes over a Release from here: one without any fault, and those with one.
func (e *expansion) passes(r int) {
	p := e.decide(e.from, r)
	if broken := e.from.misreports(p); broken != "" {
		e.violate(broken)
	}
	all := uint(1)<<len(p.out.Actions) - 1
	next := e.from.clone()
	next.claim(p)
	e.act(next, p, ending{done: all, answered: all})
	e.acted = len(p.out.Actions) > 0 || len(p.writes) > 1
	e.note = pathStep{Do: "pass", Release: r, Writes: -1}
	e.add(next, fairPass+fairness(r), "Release %s", e.naming(p))
	e.acted = false
	if e.from.faults == 0 {
		return
	}
	e.crashes(p)
	for _, end := range endings(p, e.scope) {
		next := e.from.clone()
		next.claim(p)
		next.faults--
		e.act(next, p, end)
		e.note = pathStep{Do: "pass", Release: r, Writes: -1, Crash: end.crash, Calls: end.calls(p)}
		e.add(next, unfair, "Release %s; "+end.words, e.naming(p))
	}
}

// crashes are those before the first call: after each write, and the one without any.
func (e *expansion) crashes(p *pass) {
	if !e.scope.crashes {
		return
	}
	for n := range p.writes {
		next := e.from.clone()
		if n > 0 {
			next.claim(p)
		}
		next.faults--
		next.releases[p.release].memory = p.writes[n]
		next.restart(p.release)
		next.settle(p.release)
		e.note = pathStep{Do: "pass", Release: p.release, Writes: n, Crash: true}
		e.add(next, unfair, "Release %s", fmt.Sprintf("%d, a crash after %d of %d writes of a pass", p.release+1, n, len(p.writes)-1))
	}
}

// endings are the ends of a pass with a fault: any of its calls done, refused or done with the reply lost; a crash with any of
// its calls made, or with all of them made and nothing recorded.
func endings(p *pass, of *scope) []ending {
	n := len(p.out.Actions)
	if n == 0 {
		return nil
	}
	all, launches := uint(1)<<n-1, uint(0)
	for i, a := range p.out.Actions {
		if _, is := a.(Launch); is {
			launches |= 1 << i
		}
	}
	var list []ending
	for done := range all + 1 {
		if n > 3 && !oneOrAllButOne(done, all) {
			continue
		}
		if of.refusals && done != all {
			list = append(list, ending{done: done, answered: done, words: fmt.Sprintf("of its %d calls %s refused", n, which(all&^done))})
		}
		if of.crashes && done != 0 {
			list = append(list, ending{done: done, crash: true, words: fmt.Sprintf("a crash with calls %s made", which(done))})
		}
	}
	if of.refusals && launches != 0 {
		list = append(list, ending{done: all, answered: all &^ launches, words: "the answers to its launches are lost"},
			ending{done: all &^ launches, answered: all, reject: true, words: "EC2 refuses its launches for good"})
	}
	return list
}

// oneOrAllButOne keeps the subsets of many calls few.
func oneOrAllButOne(done, all uint) bool {
	count := func(set uint) (n int) {
		for ; set != 0; set &= set - 1 {
			n++
		}
		return n
	}
	return count(done) <= 1 || count(all&^done) <= 1
}

// which names calls by number.
func which(set uint) string {
	var words []string
	for n := 0; set>>n != 0; n++ {
		if set>>n&1 != 0 {
			words = append(words, fmt.Sprint(n+1))
		}
	}
	return strings.Join(words, ",")
}

// naming describes a pass by its Release, stage and actions. It is worked out for traces only.
func (e *expansion) naming(p *pass) any {
	if !e.telling {
		return nil
	}
	words := []string{string(p.out.Report.Stage)}
	for n, a := range p.out.Actions {
		words = append(words, fmt.Sprintf("%d %s: %s", n+1, verbOf(a), a.Reason()))
	}
	for _, h := range p.out.Report.Held {
		words = append(words, "held by "+h.About+": "+h.Text)
	}
	return fmt.Sprintf("%d, a pass: %s", p.release+1, strings.Join(words, "; "))
}
