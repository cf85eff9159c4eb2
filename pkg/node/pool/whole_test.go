package pool

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// TestAnENIThatWasSharedGivesOneAddressWhenPodsGetThemWhole starts on ENIs with several addresses each.
func TestAnENIThatWasSharedGivesOneAddressWhenPodsGetThemWhole(t *testing.T) {
	w := newWorld()
	w.config.MinIdle, w.config.MaxIdle = w.cloud.perENI+2, w.cloud.perENI+2
	bubble(t, w, func(t *testing.T) {
		time.Sleep(time.Minute)
		had := w.cloud.ours()
		w.stop()
		w.config.Whole, w.config.MinIdle, w.config.MaxIdle = true, 0, 0
		w.start()
		for i, err := range w.pods(2, time.Minute) {
			if err != nil {
				t.Errorf("pod %d: %v", i, err)
			}
		}
		if now := w.cloud.ours(); len(had) != 2 || len(now) != 2 {
			t.Errorf("%d ENIs before, %d after; want the same two", len(had), len(now))
		}
		if st := w.pool.Status(); st.Capacity != w.cloud.slots || st.Used != 2 || st.Idle != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

// TestAWholeENIIsSetUpAgainAfterItsPod has the link of an ENI stay away for a while: nobody gets the ENI meanwhile, and what is
// told of it is the host's reason.
func TestAWholeENIIsSetUpAgainAfterItsPod(t *testing.T) {
	w := newWorld()
	w.config.Whole, w.config.MaxENIs = true, 1
	bubble(t, w, func(t *testing.T) {
		w.added(t, "first/eth0")
		w.host.fail(errors.New("no link with MAC 00:16:3e:00:00:01"))
		w.del(w.pool, "first/eth0")
		time.Sleep(time.Second)
		if _, err := w.add(w.pool, "second/eth0", 20*time.Second); err == nil || !strings.Contains(err.Error(), "no link with MAC") {
			t.Errorf("ADD while the ENI's link is away: %v", err)
		}
		if st := w.pool.Status(); st.Idle != 0 || st.ENIs[0].Ready || st.ENIs[0].Status != cloud.ENIInUse {
			t.Errorf("status %+v", st)
		}
		w.host.fail(nil)
		if _, err := w.add(w.pool, "third/eth0", 2*time.Minute); err != nil {
			t.Errorf("after the link came back: %v", err)
		}
	})
}

// fail has setting up an ENI fail with err, until another call; nil ends it.
func (h *host) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}
