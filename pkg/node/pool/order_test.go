package pool

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestConfigureTakesUpANewOrderOfVSwitches(t *testing.T) {
	w := newWorld()
	w.config.VSwitches = []string{"vsw-a"}
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		w.config.VSwitches = []string{"vsw-b", "vsw-a"}
		limits := cloud.InstanceType{ENIs: w.cloud.slots + 1, IPv4PerENI: w.cloud.perENI}
		if err := w.pool.Configure(t.Context(), w.config, limits); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // until then nothing is known of vsw-b
		lease, err := w.add(w.pool, "new/eth0", time.Minute)
		if err != nil || lease.VSwitch.ID != "vsw-b" {
			t.Errorf("new ENI in %q, %v; want vsw-b, which comes first now", lease.VSwitch.ID, err)
		}
		var order []string
		for _, v := range w.pool.Status().VSwitches {
			order = append(order, v.ID)
		}
		if diff := cmp.Diff([]string{"vsw-b", "vsw-a"}, order); diff != "" {
			t.Errorf("vSwitches (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		w.atRest()
	})
}
