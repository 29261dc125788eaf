# Mounts a small disk in memory with $2 bytes at the folder $1; removes both when standard input ends, which is a
# pipe of the test process: the kernel closes it however that process ends. Says "ready" on standard output, or
# why not.
trap '' PIPE
if problem=$(mount -t tmpfs -o "size=$2,mode=0700" profile-loader-test "$1" 2>&1); then
    echo ready
    read -r _
    umount -l "$1" && rmdir "$1"
else
    echo "a small disk can't be mounted, which takes root and the right to mount: $problem"
fi
