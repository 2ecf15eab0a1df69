<?php echo "hello from php ", mb_strlen("äöü"), "\n";
